/** tcpspan's encoder of binary protobuf, compared with the official serializer. */
import { Buffer } from "node:buffer";
import { strict as assert } from "node:assert";
import { constants } from "node:os";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import fc from "fast-check";
import { TraceRequestEncoder } from "../../exporters/otlp/protobuf/request.ts";
import { SPAN_LIMIT } from "../../exporters/otlp/protobuf/span_writer.ts";
import { SessionBatch } from "../../src/session/batch.ts";
import { Nesting } from "../../src/capture/nesting.ts";
import { FLAG, OWNER, ROLE } from "../../src/session/record_layout.ts";
import { TCP_STATES } from "../../src/session/session.ts";
import { makeSpanMapper } from "../exporter_context.ts";
import { INITIAL_SEQUENCE_NUMBERS, makeBatch, type RecordFields } from "../fixtures.ts";
import { decodeTraceRequest } from "../otlp_protobuf.ts";

const spans = makeSpanMapper();
const sampledSpans = makeSpanMapper({ ratio: 0.1, keepErrors: true });

/** Fails unless tcpspan's encoder writes the same bytes as the official one. */
function assertSame(
  batch: SessionBatch,
  encoder = new TraceRequestEncoder(spans),
  mapper = spans,
): void {
  mapper.observe(batch);
  const own = encoder.encode(batch);
  const official = ProtobufTraceSerializer.serializeRequest(
    Array.from(batch, (session) => mapper.toSpan(session)),
  ) ?? new Uint8Array();
  if (Buffer.compare(own, official) === 0) return;
  assert.deepEqual(decodeTraceRequest(own), decodeTraceRequest(official)); // says where
  assert.fail("the same spans in other bytes");
}

const u32 = fc.oneof(
  fc.nat({ max: 0xffffffff }),
  fc.constantFrom(0, 1, 127, 128, 16383, 16384, 2 ** 31, 0xffffffff),
);
const counter = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 53n }),
  fc.bigInt({ min: 0n, max: 70_000n }),
  fc.constantFrom(0n, 1n, 127n, 128n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, 2n ** 64n - 1n),
);
/** Nanoseconds of a clock, also near multiples of 2^32, for the carry. */
const time = fc.oneof(
  fc.bigInt({ min: 1n, max: 2n ** 60n }),
  fc.tuple(fc.bigInt({ min: 1n, max: 2n ** 24n }), fc.bigInt({ min: -2n, max: 2n }))
    .map(([turns, offset]) => (turns << 32n) + offset),
);
const timeOrNever = fc.oneof(fc.constant(0n), time);
const port = fc.oneof(fc.nat({ max: 65535 }), fc.constantFrom(0, 9, 10, 443, 32767, 32768, 65535));
const ipv4 = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.constantFrom("127.0.0.1", "0.0.0.0", "255.255.255.255", "10.1.2.3"),
);
const ipv6 = fc.oneof(
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  fc.array(fc.constantFrom(0, 0, 1, 0xabc), { minLength: 8, maxLength: 8 })
    .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]))),
  fc.constantFrom("::", "::1", "fe80::1", "febf::2", "fec0::1", "2001:db8::1:0:0:1"),
);
const name = (length: number) =>
  fc.oneof(
    fc.constantFrom("curl", "", "näginx", "\u{feff}bom", "a\u{1f94a}b"),
    fc.stringMatching(/^[ -~]{0,15}$/),
    fc.uint8Array({ maxLength: length }),
  );
const flags = fc.array(fc.constantFrom(...Object.values(FLAG)))
  .map((chosen) => chosen.reduce((sum, flag) => sum | flag, 0));

const ownNetns = Number(/\d+/.exec(Deno.readLinkSync("/proc/self/ns/net"))?.[0]);

/** Few processes, so that some share a resource. */
const owner = fc.record({
  owner_source: fc.constantFrom(...Object.values(OWNER), 6, 255),
  owner_pid: fc.constantFrom(0, 2 ** 22 + 1, 2 ** 22 + 2),
  owner_process_start_ns: fc.constantFrom(1n, 2n, 2n ** 32n + 1n),
  owner_exe: fc.constantFrom("curl", "curl\0r", "worker", "", Uint8Array.of(0xff, 0xfe)),
  owner_comm: name(16),
  owner_uid: fc.constantFrom(0, 1000),
  owner_exec_id: fc.constantFrom(1, 2),
});
const ends = fc.oneof(
  fc.record({ family: fc.constant(2), local_address: ipv4, peer_address: ipv4 }),
  fc.record({ family: fc.constant(10), local_address: ipv6, peer_address: ipv6 }),
);
const rest = fc.record({
  // the official serializer knows no times before 1970
  wall_offset_ns: fc.bigInt({ min: 2n ** 44n, max: 2n ** 62n }),
  start_ns: time,
  established_ns: timeOrNever,
  fin_sent_ns: timeOrNever,
  fin_received_ns: timeOrNever,
  end_ns: time,
  cookie: counter,
  bytes_acked: counter,
  bytes_received: counter,
  // the tracer knows the names of interfaces, which are zones, only in its own namespace
  netns: fc.oneof(fc.constant(ownNetns), u32),
  snd_una: u32,
  write_seq: u32,
  rcv_nxt: u32,
  copied_seq: u32,
  data_segs_in: u32,
  data_segs_out: u32,
  total_retrans: u32,
  srtt_us: u32,
  rtt_min_us: u32,
  handshake_rtt_us: u32,
  flags,
  interim: fc.constantFrom(0, 0, 0, 1, 70_000),
  ifindex: fc.constantFrom(0, 1, 2 ** 31),
  local_port: port,
  peer_port: port,
  err: fc.oneof(fc.constant(0), fc.constantFrom(...Object.values(constants.errno)), fc.nat(65535)),
  last_state: fc.constantFrom(...TCP_STATES),
  role: fc.constantFrom(ROLE.UNKNOWN, ROLE.ACTIVE, ROLE.PASSIVE),
  shutdown: fc.nat({ max: 3 }),
}, { requiredKeys: ["wall_offset_ns"] });
const fields: fc.Arbitrary<Partial<RecordFields>> = fc.tuple(owner, ends, rest)
  .map(([owner, ends, rest]) => ({ ...owner, ...ends, ...rest }));

Deno.test("encode() writes the bytes of the official serializer, whatever the records hold", () => {
  const encoder = new TraceRequestEncoder(spans);
  const sampledEncoder = new TraceRequestEncoder(sampledSpans);
  fc.assert(
    fc.property(fc.array(fields, { minLength: 1, maxLength: 12 }), (records) => {
      assertSame(makeBatch(...records), encoder);
      assertSame(makeBatch(...records), sampledEncoder, sampledSpans);
    }),
    { numRuns: 1500 },
  );
});

Deno.test("encode() writes the trace state of sampled sessions, of reports and of failures", () => {
  const sampled = FLAG.SAMPLED | FLAG.START_OBSERVED;
  const batch = makeBatch(
    { flags: sampled },
    { ...OPEN, flags: sampled, interim: 1 },
    { flags: sampled, role: ROLE.PASSIVE },
    { last_state: "syn_sent", err: constants.errno.ECONNREFUSED, flags: 0 },
  );
  const request = JSON.stringify(
    decodeTraceRequest(new TraceRequestEncoder(sampledSpans).encode(batch)),
  );
  const states = [...request.matchAll(/"traceState":"([^"]*)"/g)].map(([, state]) => state);
  assert.deepEqual(states, ["ot=th:e666", "ot=th:e666", "ot=th:e666", "ot=th:0"]);
  assert.equal(request.match(/"flags":259|"flags":771/g)?.length, 4); // sampled and random
  assertSame(batch, new TraceRequestEncoder(sampledSpans), sampledSpans);
});

const OPEN: Partial<RecordFields> = {
  last_state: "established",
  fin_sent_ns: 0n,
  fin_received_ns: 0n,
  flags: FLAG.START_OBSERVED,
};

for (const role of [ROLE.ACTIVE, ROLE.PASSIVE, ROLE.UNKNOWN]) {
  Deno.test(`encode() writes reports of an open session of role ${role}, then its final span`, () => {
    const batch = makeBatch(
      { ...OPEN, role, interim: 1 },
      // an error that the socket still holds does not end it
      { ...OPEN, role, interim: 2, err: constants.errno.ECONNRESET },
      // reports continue while it closes
      { role, interim: 70_000 },
      { ...OPEN, role, interim: 70_001, flags: 0 },
      { role },
    );
    const final = spans.toSpan(batch.at(4));
    for (let i = 0; i < 4; i++) {
      const report = spans.toSpan(batch.at(i));
      assert.equal(report.attributes["tcpspan.interim"], true);
      if (role !== ROLE.UNKNOWN && i < 2) {
        assert.equal(report.spanContext().traceId, final.spanContext().traceId);
      }
    }
    assertSame(batch);
  });
}

Deno.test("encode() writes zones: names in the tracer's own namespace, numbers in others", () => {
  const linkLocal = { local_address: "fe80::1", peer_address: "fe80::2" };
  const batch = makeBatch(
    { ...linkLocal, ifindex: 1, netns: ownNetns },
    { ...linkLocal, ifindex: 1, netns: ownNetns, role: ROLE.PASSIVE },
    { ...linkLocal, ifindex: 1, netns: ownNetns, role: ROLE.UNKNOWN, interim: 3, ...OPEN },
    { ...linkLocal, ifindex: 0xffffffff, netns: ownNetns }, // it has gone
    { ...linkLocal, ifindex: 1, netns: 1 },
    { ...linkLocal, ifindex: 0, netns: ownNetns },
    { ...linkLocal, local_address: "2001:db8::1", ifindex: 1, netns: ownNetns },
  );
  const addresses = Array.from(batch, (session) => {
    const { attributes } = spans.toSpan(session);
    return `${attributes["network.local.address"]} ${attributes["network.peer.address"]}`;
  });
  assert.deepEqual(addresses, [
    "fe80::1%lo fe80::2%lo",
    "fe80::1%lo fe80::2%lo",
    "fe80::1%lo fe80::2%lo",
    "fe80::1%4294967295 fe80::2%4294967295",
    "fe80::1%1 fe80::2%1",
    "fe80::1 fe80::2",
    "2001:db8::1 fe80::2%lo",
  ]);
  assertSame(batch);
});

Deno.test("encode() names the parent of a server whose client is on this host, in any namespace", () => {
  const server = { role: ROLE.PASSIVE, local_address: "192.0.2.1", netns: 2 };
  const batch = makeBatch(
    { local_address: "192.0.2.9", peer_address: "192.0.2.1", netns: 1 },
    { ...server, peer_address: "192.0.2.9" }, // a client above
    { ...server, peer_address: "10.9.9.9" }, // among the peers
    { ...server, peer_address: "198.51.100.1" },
    { ...server, peer_address: "198.51.100.1", netns: ownNetns },
    { ...server, ...OPEN, peer_address: "198.51.100.1", interim: 1 },
    { ...server, peer_address: "192.0.2.9", flags: FLAG.RESTORED }, // its client's id is unknown
  );
  spans.observe(batch);
  const isRemote = Array.from(batch, (s) => spans.toSpan(s).parentSpanContext?.isRemote);
  assert.deepEqual(isRemote, [undefined, true, true, undefined, undefined, false, undefined]);
  assertSame(batch);
});

Deno.test("encode() ends a server's span when its client's ended, if nesting moved it", () => {
  const { local, peer } = INITIAL_SEQUENCE_NUMBERS;
  const end = 7n << 32n;
  const before = { start_ns: end - 9n, established_ns: end - 8n, wall_offset_ns: 1n << 60n };
  const { bytes } = makeBatch(
    {
      ...before,
      bytes_acked: 1002n,
      bytes_received: 2001n,
      fin_sent_ns: end - 7n,
      fin_received_ns: 0n,
      end_ns: end - 1n,
    },
    {
      ...before,
      role: ROLE.PASSIVE,
      last_state: "last_ack",
      bytes_acked: 2001n,
      bytes_received: 1001n,
      snd_una: peer + 2002,
      rcv_nxt: local + 1002,
      fin_received_ns: end - 6n,
      fin_sent_ns: end - 5n,
      end_ns: end + 30_000n,
      flags: FLAG.START_OBSERVED | FLAG.SOCK_DONE | FLAG.PEER_FIN_FIRST,
    },
  );
  const words = new Int32Array(bytes.slice().buffer);
  new Nesting().apply(words, 2);
  const batch = new SessionBatch(new Uint8Array(words.buffer));
  assert.equal(batch.at(1).endUnixNs, (1n << 60n) + end - 1n);
  const [client, server] = Array.from(batch, (session) => spans.toSpan(session));
  assert.deepEqual(server?.endTime, client?.endTime);
  assert.equal(server?.parentSpanContext?.spanId, client?.spanContext().spanId);
  assertSame(batch);
});

Deno.test("encode() groups the spans of many processes, with lengths of as many bytes as needed", () => {
  const encoder = new TraceRequestEncoder(spans);
  // groups from one span to more than 2^14 bytes, and one of more than 2^21
  for (const count of [1, 2, 13, 14, 15, 16, 17, 18, 19, 20, 30, 1000, 2500]) {
    const records = Array.from({ length: count }, (_, i) => ({ owner_pid: 2 ** 22 + i % 3 }));
    assertSame(makeBatch(...records), encoder);
  }
});

Deno.test("encode() of 4096 sessions stays under 20 MiB, and no span has more than SPAN_LIMIT", () => {
  const largest: Partial<RecordFields> = {
    local_address: "fe80:1111:1111:1111:1111:1111:1111:1111",
    peer_address: "fe80:1111:1111:1111:1111:1111:1111:1112",
    ifindex: 0xffffffff,
    local_port: 32767,
    peer_port: 32767,
    bytes_acked: 2n ** 53n,
    bytes_received: 2n ** 53n,
    cookie: 2n ** 53n,
    owner_comm: new Uint8Array(16).fill(0xff),
    last_state: "established",
    err: constants.errno.ECONNRESET,
    fin_received_ns: 1n,
    fin_sent_ns: 1n,
  };
  const encoder = new TraceRequestEncoder(spans);
  const one = encoder.encode(makeBatch(largest)).length;
  const two = encoder.encode(makeBatch(largest, largest)).length;
  assert.ok(two - one < SPAN_LIMIT / 2, `${two - one} bytes`);
  const { length } = encoder.encode(makeBatch(...Array.from({ length: 4096 }, () => largest)));
  assert.ok(length < 20 * 1024 * 1024, `${length} bytes`);
});

Deno.test("encode() reuses only memory that was given back", () => {
  const encoder = new TraceRequestEncoder(spans);
  const batch = makeBatch({ owner_comm: "one" }, { owner_comm: "two" });
  const held = encoder.encode(batch);
  const copy = held.slice();
  for (let i = 0; i < 5; i++) encoder.encode(makeBatch({ peer_port: i }));
  assert.deepEqual(held, copy);
  encoder.recycle(held);
  assert.equal(encoder.encode(batch).buffer, held.buffer);
  assert.deepEqual(held, copy);
});

Deno.test("encode() takes a batch that is larger than the buffer it gets", () => {
  const encoder = new TraceRequestEncoder(spans);
  encoder.recycle(encoder.encode(makeBatch({})));
  const records = Array.from({ length: 500 }, (_, i) => ({ owner_pid: 2 ** 22 + i }));
  assertSame(makeBatch(...records), encoder);
});
