/** The span of a session, as docs/span.md describes it. */
import { strict as assert } from "node:assert";
import { constants } from "node:os";
import { type Attributes, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import { IdHasher } from "../../src/ids/ids.ts";
import { ParentRule, type ParentSettings } from "../../src/span/parent.ts";
import { PortRange } from "../../src/host/client_ports.ts";
import { FLAG, OWNER, ROLE } from "../../src/session/record_layout.ts";
import { ProcessResources } from "../../src/span/resource.ts";
import type { SamplingOptions } from "../../src/ids/sampling.ts";
import { SampledTraceStates } from "../../src/span/trace_states.ts";
import { SpanMapper } from "../../src/span/span_mapper.ts";
import { VERSION } from "../../src/version.ts";
import { END_UNIX_NS, makeSession, type RecordFields } from "../fixtures.ts";

const { errno } = constants;
const EPHEMERAL = new PortRange(32768, 60999);
const DEFAULT_PARENT: ParentSettings = { parent: "auto", peers: [] };

function toSpan(
  fields: Partial<RecordFields>,
  parents = DEFAULT_PARENT,
  sampling?: SamplingOptions,
): ReadableSpan {
  const resources = new ProcessResources({
    attributes: {},
    commandLine: false,
    fromProcessEnv: false,
  });
  const mapper = new SpanMapper(
    new IdHasher(""),
    resources,
    new ParentRule(parents),
    EPHEMERAL,
    sampling && new SampledTraceStates(sampling),
  );
  return mapper.toSpan(makeSession(fields));
}

/** curl's end of a session with a web server; no field has the default of the fixtures. */
const CLIENT: Partial<RecordFields> = {
  role: ROLE.ACTIVE,
  local_address: "10.0.0.1",
  local_port: 40001,
  peer_address: "192.0.2.7",
  peer_port: 8080,
  last_state: "fin_wait2",
  flags: FLAG.START_OBSERVED | FLAG.LOCAL_FIN_FIRST | FLAG.SOCK_DONE,
  // SYN, 300 bytes, FIN; 700 bytes, FIN
  bytes_acked: 302n,
  bytes_received: 701n,
  snd_una: 1302,
  write_seq: 1302,
  rcv_nxt: 2702,
  copied_seq: 2702,
  data_segs_out: 3,
  data_segs_in: 4,
  total_retrans: 1,
  srtt_us: 250,
  rtt_min_us: 200,
  start_ns: 1_000_000_000n,
  established_ns: 1_000_400_000n,
  fin_sent_ns: 1_002_000_000n,
  fin_received_ns: 0n,
  end_ns: 1_003_000_000n,
  wall_offset_ns: END_UNIX_NS - 1_003_000_000n,
  owner_comm: "curl-thread",
  owner_source: OWNER.CONNECT,
  netns: 4026531840,
  cookie: 99n,
};

/** The server's end of the same session. */
const SERVER: Partial<RecordFields> = {
  ...CLIENT,
  role: ROLE.PASSIVE,
  local_address: "192.0.2.7",
  local_port: 8080,
  peer_address: "10.0.0.1",
  peer_port: 40001,
  last_state: "last_ack",
  flags: FLAG.START_OBSERVED | FLAG.PEER_FIN_FIRST | FLAG.SOCK_DONE,
  bytes_acked: 701n, // 700 bytes and FIN: its SYN does not count
  bytes_received: 301n,
  snd_una: 2702,
  write_seq: 2702,
  rcv_nxt: 1302,
  copied_seq: 1302,
  handshake_rtt_us: 350,
  fin_received_ns: 1_002_100_000n,
  fin_sent_ns: 1_002_900_000n,
  owner_comm: "nginx",
  owner_source: OWNER.RECV,
};

const CLIENT_ATTRIBUTES: Attributes = {
  "network.transport": "tcp",
  "network.type": "ipv4",
  "network.local.address": "10.0.0.1",
  "network.local.port": 40001,
  "network.peer.address": "192.0.2.7",
  "network.peer.port": 8080,
  "client.address": "10.0.0.1",
  "client.port": 40001,
  "server.address": "192.0.2.7",
  "server.port": 8080,
  "thread.name": "curl-thread",
  "tcpspan.tx.bytes": 300,
  "tcpspan.rx.bytes": 700,
  "tcpspan.tx.unacked_bytes": 0,
  "tcpspan.rx.unread_bytes": 0,
  "tcpspan.tx.segments": 3,
  "tcpspan.rx.segments": 4,
  "tcpspan.tx.retransmits": 1,
  "tcpspan.rtt.smoothed_us": 250,
  "tcpspan.rtt.min_us": 200,
  "tcpspan.handshake_us": 400,
  "tcpspan.state.last": "fin_wait2",
  "tcpspan.close.by": "local",
  "tcpspan.close.reason": "fin",
  "tcpspan.owner.source": "connect",
  "tcpspan.start.observed": true,
  "tcpspan.netns": 4026531840,
  "tcpspan.session.cookie": 99,
};

interface Case {
  readonly name: string;
  readonly fields: Partial<RecordFields>;
  readonly kind: SpanKind;
  readonly spanName: string;
  readonly attributes: Attributes;
  /** If there is an error: what its message must match. */
  readonly error?: RegExp;
  /** Names in order. */
  readonly events: string[];
}

const CASES: Case[] = [
  {
    name: "a client",
    fields: CLIENT,
    kind: SpanKind.CLIENT,
    spanName: "tcp 8080",
    attributes: CLIENT_ATTRIBUTES,
    events: ["tcpspan.established", "tcpspan.fin.sent", "tcpspan.fin.received"],
  },
  {
    name: "a server",
    fields: SERVER,
    kind: SpanKind.SERVER,
    spanName: "tcp 8080",
    attributes: {
      ...CLIENT_ATTRIBUTES,
      "network.local.address": "192.0.2.7",
      "network.local.port": 8080,
      "network.peer.address": "10.0.0.1",
      "network.peer.port": 40001,
      "thread.name": "nginx",
      "tcpspan.tx.bytes": 700,
      "tcpspan.rx.bytes": 300,
      "tcpspan.handshake_us": 350,
      "tcpspan.state.last": "last_ack",
      "tcpspan.close.by": "peer",
      "tcpspan.owner.source": "recv",
    },
    events: ["tcpspan.established", "tcpspan.fin.received", "tcpspan.fin.sent"],
  },
  {
    name: "a refused attempt without a known owner",
    fields: {
      ...CLIENT,
      local_address: "2001:db8::1",
      peer_address: "2001:db8::2",
      last_state: "syn_sent",
      err: errno.ECONNREFUSED,
      shutdown: 0,
      flags: FLAG.START_OBSERVED,
      bytes_acked: 0n,
      bytes_received: 0n,
      snd_una: 1000,
      write_seq: 1001,
      rcv_nxt: 0,
      copied_seq: 0,
      data_segs_out: 0,
      data_segs_in: 0,
      total_retrans: 0,
      srtt_us: 0,
      rtt_min_us: 0xffffffff,
      established_ns: 0n,
      fin_sent_ns: 0n,
      owner_source: OWNER.UNKNOWN,
      owner_comm: "",
    },
    kind: SpanKind.CLIENT,
    spanName: "tcp 8080",
    attributes: {
      "network.transport": "tcp",
      "network.type": "ipv6",
      "network.local.address": "2001:db8::1",
      "network.local.port": 40001,
      "network.peer.address": "2001:db8::2",
      "network.peer.port": 8080,
      "client.address": "2001:db8::1",
      "client.port": 40001,
      "server.address": "2001:db8::2",
      "server.port": 8080,
      "error.type": "connection_refused",
      "tcpspan.tx.bytes": 0,
      "tcpspan.rx.bytes": 0,
      "tcpspan.tx.unacked_bytes": 0,
      "tcpspan.rx.unread_bytes": 0,
      "tcpspan.tx.segments": 0,
      "tcpspan.rx.segments": 0,
      "tcpspan.tx.retransmits": 0,
      "tcpspan.state.last": "syn_sent",
      "tcpspan.close.by": "peer",
      "tcpspan.close.reason": "refused",
      "tcpspan.owner.source": "unknown",
      "tcpspan.start.observed": true,
      "tcpspan.netns": 4026531840,
      "tcpspan.session.cookie": 99,
    },
    error: /refused/,
    events: [],
  },
  {
    name: "an end of unknown role, reset by its peer",
    fields: {
      ...CLIENT,
      role: ROLE.UNKNOWN,
      last_state: "established",
      err: errno.ECONNRESET,
      shutdown: 0,
      flags: 0,
      established_ns: 0n,
      fin_sent_ns: 0n,
      write_seq: 1402,
      owner_source: OWNER.CLOSE,
    },
    kind: SpanKind.INTERNAL,
    spanName: "tcp",
    attributes: {
      "network.transport": "tcp",
      "network.type": "ipv4",
      "network.local.address": "10.0.0.1",
      "network.local.port": 40001,
      "network.peer.address": "192.0.2.7",
      "network.peer.port": 8080,
      "error.type": "connection_reset",
      "thread.name": "curl-thread",
      "tcpspan.tx.bytes": 302,
      "tcpspan.rx.bytes": 701,
      "tcpspan.tx.unacked_bytes": 100,
      "tcpspan.rx.unread_bytes": 0,
      "tcpspan.tx.segments": 3,
      "tcpspan.rx.segments": 4,
      "tcpspan.tx.retransmits": 1,
      "tcpspan.rtt.smoothed_us": 250,
      "tcpspan.rtt.min_us": 200,
      "tcpspan.state.last": "established",
      "tcpspan.close.by": "peer",
      "tcpspan.close.reason": "reset",
      "tcpspan.owner.source": "close",
      "tcpspan.start.observed": false,
      "tcpspan.netns": 4026531840,
      "tcpspan.session.cookie": 99,
    },
    error: /reset/,
    events: ["tcpspan.reset.received"],
  },
];

for (const { name, fields, kind, spanName, attributes, error, events } of CASES) {
  Deno.test(`toSpan() of ${name} has the right kind, name, status, attributes and events`, () => {
    const span = toSpan(fields);
    assert.equal(span.kind, kind);
    assert.equal(span.name, spanName);
    assert.deepEqual(span.attributes, attributes);
    assert.deepEqual(span.events.map((event) => event.name), events);
    if (error === undefined) {
      assert.deepEqual(span.status, { code: SpanStatusCode.UNSET });
    } else {
      assert.equal(span.status.code, SpanStatusCode.ERROR);
      assert.match(span.status.message ?? "", error);
    }
  });
}

Deno.test("toSpan() gives no unread bytes if the process may still read them", () => {
  const reset = { ...CLIENT, last_state: "established", shutdown: 0, copied_seq: 2602 } as const;
  assert.ok(!("tcpspan.rx.unread_bytes" in toSpan(reset).attributes));
});

Deno.test("toSpan() says that a socket was in a sockmap, and shows what TCP counted", () => {
  const inMap = toSpan({ ...CLIENT, flags: (CLIENT.flags ?? 0) | FLAG.SOCKMAP }).attributes;
  assert.deepEqual(inMap, { ...toSpan(CLIENT).attributes, "tcpspan.bytes.bypassed": true });
});

/** Flags and token of MPTCP, and the attributes that follow. */
const MPTCP: [name: string, flags: number, token: number, attributes: Attributes][] = [
  ["a socket of TCP", 0, 0, {}],
  ["a first subflow", FLAG.MPTCP, 0xfedcba98, {
    "tcpspan.mptcp": true,
    "tcpspan.mptcp.token": 0xfedcba98,
  }],
  ["a joined subflow", FLAG.MPTCP | FLAG.MPTCP_JOINED, 7, {
    "tcpspan.mptcp": true,
    "tcpspan.mptcp.joined": true,
    "tcpspan.mptcp.token": 7,
  }],
  ["a subflow whose connection has no token any more", FLAG.MPTCP, 0, { "tcpspan.mptcp": true }],
  ["a socket that fell back to TCP", FLAG.MPTCP_FALLBACK, 7, { "tcpspan.mptcp": false }],
];

for (const [name, flags, mptcp_token, expected] of MPTCP) {
  Deno.test(`toSpan() of ${name} says so`, () => {
    const { attributes } = toSpan({ ...CLIENT, mptcp_token, flags: (CLIENT.flags ?? 0) | flags });
    const found = Object.entries(attributes).filter(([key]) => key.startsWith("tcpspan.mptcp"));
    assert.deepEqual(Object.fromEntries(found), expected);
  });
}

Deno.test("toSpan() does not call an attempt that was never established a fallback", () => {
  const fields = { ...CLIENT, last_state: "syn_sent", established_ns: 0n } as const;
  const { attributes } = toSpan({ ...fields, flags: FLAG.MPTCP_FALLBACK });
  assert.ok(!("tcpspan.mptcp" in attributes));
});

Deno.test("toSpan() keeps a server's ephemeral port out of the name", () => {
  const names = [32767, 32768, 60999, 61000].map((peer_port) =>
    toSpan({ ...CLIENT, peer_port }).name
  );
  assert.deepEqual(names, ["tcp 32767", "tcp", "tcp", "tcp 61000"]);
});

Deno.test("toSpan() starts and ends on the nanosecond, and its duration lies between", () => {
  const span = toSpan(CLIENT);
  const second = Number(END_UNIX_NS / 1_000_000_000n);
  assert.deepEqual(span.endTime, [second, 0]);
  assert.deepEqual(span.startTime, [second - 1, 997_000_000]);
  assert.deepEqual(span.duration, [0, 3_000_000]);
  assert.equal(span.ended, true);
});

Deno.test("toSpan() gives each event its time", () => {
  const second = Number(END_UNIX_NS / 1_000_000_000n);
  const times = toSpan(SERVER).events.map(({ name, time }) => [name, time]);
  assert.deepEqual(times, [
    ["tcpspan.established", [second - 1, 997_400_000]],
    ["tcpspan.fin.received", [second - 1, 999_100_000]],
    ["tcpspan.fin.sent", [second - 1, 999_900_000]],
  ]);
});

Deno.test("toSpan() names the scope and the schema of the semantic conventions", () => {
  const { instrumentationScope } = toSpan(CLIENT);
  assert.deepEqual(instrumentationScope, {
    name: "tcpspan",
    version: VERSION,
    schemaUrl: "https://opentelemetry.io/schemas/1.45.0",
  });
});

Deno.test("toSpan() samples every span, and leaves no links or dropped counts", () => {
  const span = toSpan(CLIENT);
  assert.equal(span.spanContext().traceFlags, 0x3); // W3C Trace Context level 2: sampled, random
  assert.equal(span.spanContext().traceState, undefined);
  assert.deepEqual(span.links, []);
  const { droppedAttributesCount, droppedEventsCount, droppedLinksCount } = span;
  assert.deepEqual([droppedAttributesCount, droppedEventsCount, droppedLinksCount], [0, 0, 0]);
});

Deno.test("toSpan() says in the trace state how many sessions a span stands for", () => {
  const state = (fields: Partial<RecordFields>, sampling: SamplingOptions) =>
    toSpan(fields, DEFAULT_PARENT, sampling).spanContext().traceState?.serialize();
  const reset = { ...CLIENT, last_state: "established", err: errno.ECONNRESET } as const;
  const report = { ...reset, interim: 1 };
  for (const fields of [CLIENT, reset, report]) {
    assert.equal(state(fields, { ratio: 0.25 }), "ot=th:c");
  }
  const keepErrors = { ratio: 0.25, keepErrors: true };
  assert.equal(state(CLIENT, keepErrors), "ot=th:c");
  assert.equal(state(reset, keepErrors), "ot=th:0");
  assert.equal(state(report, keepErrors), "ot=th:c");
});

Deno.test("toSpan() names no parent that sampling may have left out", () => {
  const sampling = { ratio: 0.25, keepErrors: true };
  const always: ParentSettings = { parent: "always", peers: [] };
  const { flags = 0 } = SERVER;
  const failed = { ...SERVER, last_state: "established", err: errno.ECONNRESET } as const;
  assert.equal(toSpan(failed, always, sampling).parentSpanContext, undefined);
  const sampled = toSpan({ ...failed, flags: flags | FLAG.SAMPLED }, always, sampling);
  assert.ok(sampled.parentSpanContext !== undefined);
  assert.equal(sampled.parentSpanContext.traceState, undefined);
});

Deno.test("toSpan() keeps no reference to the session, which may move on", () => {
  const span = toSpan(CLIENT);
  const again = toSpan(CLIENT);
  assert.equal(span.spanContext(), span.spanContext());
  assert.deepEqual(span.attributes, again.attributes);
});

interface ParentCase {
  readonly name: string;
  readonly fields?: Partial<RecordFields>;
  readonly settings?: Partial<ParentSettings>;
  readonly hasParent: boolean;
}

const LOCAL_SERVER = { ...SERVER, local_address: "127.0.0.1", peer_address: "127.0.0.1" };

const PARENTS: ParentCase[] = [
  { name: "auto, the peer is elsewhere", fields: SERVER, hasParent: false },
  { name: "auto, the peer is on loopback", fields: LOCAL_SERVER, hasParent: true },
  {
    name: "auto, the peer is on IPv6 loopback",
    fields: { ...SERVER, local_address: "::1", peer_address: "::1" },
    hasParent: true,
  },
  {
    name: "auto, the peer is in trace.peers",
    fields: SERVER,
    settings: { peers: ["198.51.100.0/24", "10.0.0.0/8"] },
    hasParent: true,
  },
  {
    name: "auto, the peer is not in trace.peers",
    fields: SERVER,
    settings: { peers: ["198.51.100.0/24"] },
    hasParent: false,
  },
  { name: "always", fields: SERVER, settings: { parent: "always" }, hasParent: true },
  { name: "never", fields: LOCAL_SERVER, settings: { parent: "never" }, hasParent: false },
  { name: "always, of a client", fields: CLIENT, settings: { parent: "always" }, hasParent: false },
  {
    name: "always, of a client that is connected to itself",
    fields: { ...CLIENT, last_state: "closing", rcv_nxt: 1702 },
    settings: { parent: "always" },
    hasParent: false,
  },
  {
    name: "always, of an end whose initial numbers are unknown",
    fields: { ...SERVER, flags: FLAG.REPAIR },
    settings: { parent: "always" },
    hasParent: false,
  },
];

for (const { name, fields = SERVER, settings = {}, hasParent } of PARENTS) {
  Deno.test(`toSpan() names ${hasParent ? "the client's span as" : "no"} parent: ${name}`, () => {
    const span = toSpan(fields, { ...DEFAULT_PARENT, ...settings });
    if (!hasParent) {
      assert.equal(span.parentSpanContext, undefined);
      return;
    }
    const client = toSpan(CLIENT).spanContext();
    assert.equal(span.parentSpanContext?.traceId, client.traceId);
    assert.equal(span.parentSpanContext?.spanId, client.spanId);
    assert.equal(span.spanContext().traceId, client.traceId);
    assert.notEqual(span.spanContext().spanId, client.spanId);
  });
}
