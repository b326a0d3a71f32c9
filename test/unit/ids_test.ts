import { strict as assert } from "node:assert";
import fc from "fast-check";
import { Id, IdHasher } from "../../src/ids/ids.ts";
import { ROLE } from "../../src/session/record_layout.ts";
import { makeSession, type RecordFields } from "../fixtures.ts";

const hasher = new IdHasher("");

const sequenceNumber = fc.oneof(
  fc.nat({ max: 0xffffffff }),
  fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff),
);
// several times around the sequence space
const payload = fc.bigInt({ min: 0n, max: 2n ** 35n });

/** The counters of both ends of one session that was closed with FINs, as TCP has them. */
function ends(client: number, server: number, up: bigint, down: bigint) {
  const sequence = (number: number, offset: bigint) =>
    Number(BigInt.asUintN(32, BigInt(number) + offset));
  // SYN and FIN each take a number
  const clientNext = sequence(client, up + 2n);
  const serverNext = sequence(server, down + 2n);
  const active: Partial<RecordFields> = {
    role: ROLE.ACTIVE,
    last_state: "fin_wait2",
    bytes_acked: up + 2n, // its SYN counts
    bytes_received: down + 1n,
    snd_una: clientNext,
    write_seq: clientNext,
    rcv_nxt: serverNext,
  };
  const passive: Partial<RecordFields> = {
    role: ROLE.PASSIVE,
    last_state: "last_ack",
    bytes_acked: down + 1n,
    bytes_received: up + 1n,
    snd_una: serverNext,
    write_seq: serverNext,
    rcv_nxt: clientNext,
  };
  return { active, passive };
}

function identify(fields: Partial<RecordFields>, by = hasher) {
  const { trace, span, report, peer } = by.identify(makeSession(fields));
  return { traceId: trace.hex, spanId: span.hex, reportId: report?.hex, peerSpanId: peer?.hex };
}

Deno.test("identify() gives both ends of a session one trace id and each other's span ids", () => {
  fc.assert(
    fc.property(sequenceNumber, sequenceNumber, payload, payload, (client, server, up, down) => {
      fc.pre(client !== server);
      const { active, passive } = ends(client, server, up, down);
      const [one, other] = [identify(active), identify(passive)];
      assert.equal(one.traceId, other.traceId);
      assert.equal(one.peerSpanId, other.spanId);
      assert.equal(other.peerSpanId, one.spanId);
      assert.notEqual(one.spanId, other.spanId);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("identify() ignores addresses, ports, process and times of an established session", () => {
  const { active } = ends(1, 2, 3n, 4n);
  const elsewhere: Partial<RecordFields> = {
    ...active,
    local_address: "2001:db8::1",
    peer_address: "2001:db8::2",
    local_port: 1,
    peer_port: 2,
    owner_pid: 99,
    cookie: 77n,
    start_ns: 5n,
    netns: 3,
  };
  assert.deepEqual(identify(elsewhere), identify(active));
});

Deno.test("identify() gives the same ids again", () => {
  const { active } = ends(123, 456, 7n, 8n);
  assert.deepEqual(identify(active, new IdHasher("")), identify(active));
});

Deno.test("identify() gives ids in lower-case hex, of which none is zero", () => {
  fc.assert(fc.property(sequenceNumber, sequenceNumber, (client, server) => {
    const { traceId, spanId } = identify(ends(client, server, 0n, 0n).active);
    assert.match(traceId, /^(?!0{32})[0-9a-f]{32}$/);
    assert.match(spanId, /^(?!0{16})[0-9a-f]{16}$/);
  }));
});

Deno.test("an id is the hash itself; zero, which W3C Trace Context calls invalid, becomes 1", () => {
  for (const size of [2, 4] as const) {
    const id = new Id(size);
    id.take({ words: Int32Array.of(0, -1, 0, 0) });
    assert.equal(id.hex, "00000000ffffffff" + "0".repeat(8 * size - 16));
    id.take({ words: new Int32Array(4) });
    assert.equal(id.hex, "01" + "0".repeat(8 * size - 2));
  }
});

Deno.test("identify() gives different sessions different ids", () => {
  const pair = fc.tuple(sequenceNumber, sequenceNumber);
  fc.assert(fc.property(pair, pair, ([a, b], [c, d]) => {
    fc.pre(!(a === c && b === d) && !(a === d && b === c));
    const [one, other] = [identify(ends(a, b, 0n, 0n).active), identify(ends(c, d, 0n, 0n).active)];
    assert.notEqual(one.traceId, other.traceId);
    assert.notEqual(one.spanId, other.spanId);
  }));
});

Deno.test("identify() gives other ids under another key", () => {
  fc.assert(fc.property(fc.string(), fc.string(), (key, other) => {
    fc.pre(key !== other);
    const { active } = ends(1, 2, 0n, 0n);
    const [one, two] = [identify(active, new IdHasher(key)), identify(active, new IdHasher(other))];
    assert.notEqual(one.traceId, two.traceId);
    assert.notEqual(one.spanId, two.spanId);
    assert.notEqual(one.peerSpanId, two.peerSpanId);
  }));
});

Deno.test("identify() shows no sequence number in an id", () => {
  fc.assert(fc.property(sequenceNumber, sequenceNumber, (client, server) => {
    fc.pre(client > 0xffff && server > 0xffff); // short ones turn up by chance
    const { traceId, spanId } = identify(ends(client, server, 0n, 0n).active);
    for (const number of [client, server]) {
      const hex = number.toString(16).padStart(8, "0");
      const reversed = hex.match(/../g)?.reverse().join("") ?? "";
      for (const text of [hex, reversed]) {
        assert.ok(!traceId.includes(text) && !spanId.includes(text));
      }
    }
  }));
});

Deno.test("identify() gives a socket connected to itself no other end", () => {
  const { active } = ends(1000, 1000, 5n, 5n);
  assert.equal(identify({ ...active, last_state: "closing" }).peerSpanId, undefined);
});

const ATTEMPT: Partial<RecordFields> = {
  last_state: "syn_sent",
  snd_una: 1234,
  write_seq: 1235,
  cookie: 7n,
  start_ns: 1_000_000n,
};

Deno.test("identify() gives an attempt no other end, and the same ids each time", () => {
  const ids = identify(ATTEMPT);
  assert.equal(ids.peerSpanId, undefined);
  assert.deepEqual(identify(ATTEMPT), ids);
});

const ATTEMPT_DIFFERENCES: Record<string, Partial<RecordFields>> = {
  "initial sequence number": { snd_una: 1235 },
  "socket": { cookie: 8n },
  "start": { start_ns: 1_000_001n },
};

for (const [difference, fields] of Object.entries(ATTEMPT_DIFFERENCES)) {
  Deno.test(`identify() gives an attempt with another ${difference} another trace`, () => {
    assert.notEqual(identify({ ...ATTEMPT, ...fields }).traceId, identify(ATTEMPT).traceId);
  });
}

Deno.test("identify() joins no session whose role is unknown", () => {
  const { active, passive } = ends(1, 2, 10n, 20n);
  const unknown = { ...passive, role: ROLE.UNKNOWN };
  const ids = identify(unknown);
  assert.equal(ids.peerSpanId, undefined);
  assert.notEqual(ids.traceId, identify(active).traceId);
});
