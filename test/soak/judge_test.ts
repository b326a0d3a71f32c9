/** The judge finds what is missing, twice, unexpected or wrong. */
import { strict as assert } from "node:assert";
import type { Host } from "./expect.ts";
import { Judge, type Verdict } from "./judge.ts";
import { type End, joinEnds } from "./ledger.ts";
import type { Span } from "./spans.ts";

const HOST: Host = {
  wallOffsetNs: 0n,
  netns: 1,
  isEphemeral: (port) => port >= 32768,
  executable: "traffic",
};
const MS = 1e6;

const CLIENT: End = {
  session: 1,
  attempt: 1,
  role: "client",
  path: "fin",
  group: "prefork",
  cookie: 10,
  localAddress: "127.0.0.1",
  localPort: 40000,
  peerAddress: "127.0.0.1",
  peerPort: 2000,
  family: "ipv4",
  pid: 100,
  comm: "client-1",
  listenerPid: 0,
  listenerComm: "",
  used: true,
  usedLate: false,
  killed: false,
  tx: 5,
  rx: 7,
  unacked: 0,
  unread: 0,
  how: "closed_first",
  after: "nothing",
  openBefore: 1 * MS,
  openAfter: 2 * MS,
  finBefore: 3 * MS,
  finAfter: 4 * MS,
  finSeen: 0,
  endLow: 3 * MS,
  endHigh: 0,
};
const SERVER: End = {
  ...CLIENT,
  role: "server",
  cookie: 11,
  localPort: 2000,
  peerPort: 40000,
  pid: 200,
  comm: "prefork-1",
  listenerPid: 199,
  listenerComm: "master-1",
  tx: 7,
  rx: 5,
  how: "closed_last",
  finBefore: 5 * MS,
  finAfter: 6 * MS,
  finSeen: 5 * MS,
  endLow: 5 * MS,
};

Deno.test("the judge finds nothing wrong with correct spans", () => {
  const verdict = judge([CLIENT, SERVER], [spanOf(CLIENT), spanOf(SERVER)]);
  assert.deepEqual(verdict.faults, []);
  assert.equal(verdict.spans, 2);
});

Deno.test("the judge finds an end without a span, and a span without an end", () => {
  assert.deepEqual(kinds(judge([CLIENT, SERVER], [spanOf(CLIENT)])), ["fin, server: missing"]);
  assert.deepEqual(kinds(judge([CLIENT], [spanOf(CLIENT), spanOf(SERVER)])), ["unexpected"]);
});

Deno.test("the judge finds a server's span that outlasts the span of its client, which had the server's FIN", () => {
  const end = "1970-01-01T00:00:00.006000000Z";
  const client = spanOf(CLIENT);
  const events = [...client["events"] as unknown[], { name: "tcpspan.fin.received", time: end }];
  const server = { ...spanOf(SERVER), end: "1970-01-01T00:00:00.006000001Z" };
  assert.deepEqual(kinds(judge([CLIENT, SERVER], [{ ...client, end, events }, server])), [
    "fin, server: wrong end: expected before its client's, found 1 ns after, from last_ack and fin_wait2",
  ]);
  assert.deepEqual(kinds(judge([CLIENT, SERVER], [client, server])), []);
});

Deno.test("the judge finds a server's span that starts before its client's", () => {
  const server = { ...spanOf(SERVER), start: "1970-01-01T00:00:00.000999999Z" };
  assert.deepEqual(kinds(judge([CLIENT, SERVER], [spanOf(CLIENT), server])), [
    "fin, server: wrong start: expected after its client's, found 1 ns before",
  ]);
});

Deno.test("the judge finds an end with two spans", () => {
  const spans = [spanOf(CLIENT), spanOf(SERVER), spanOf(SERVER)];
  assert.deepEqual(kinds(judge([CLIENT, SERVER], spans)), ["fin, server: twice"]);
});

Deno.test("the judge finds an end that is twice in the ledgers", () => {
  assert.throws(() => joinEnds([CLIENT, CLIENT]), /the ledgers have 1\/1 twice/);
});

const WRONG: Record<string, unknown> = {
  "name": "tcp",
  "kind": "CLIENT ",
  "trace_id": "f".repeat(32),
  "parent_span_id": "f".repeat(16),
  "status": "Error",
  "error.type": "connection_reset",
  "start": "1970-01-01T00:00:00.000800000Z", // 200 µs too early
  "end": "1970-01-01T00:00:00.004800000Z",
  "events": [],
  "process.pid": 199,
  "thread.name": "master-1",
  "tcpspan.owner.source": "listen",
  "network.local.port": 2001,
  "network.peer.address": "127.0.0.2",
  "tcpspan.tx.bytes": 8,
  "tcpspan.rx.bytes": 6,
  "tcpspan.rx.unread_bytes": 1,
  "tcpspan.state.last": "close_wait",
  "tcpspan.close.by": "local",
  "tcpspan.close.reason": "reset",
};

for (const [field, value] of Object.entries(WRONG)) {
  Deno.test(`the judge finds a wrong ${field}`, () => {
    const spans = [spanOf(CLIENT), { ...spanOf(SERVER), [field]: value }];
    assert.ok(judge([CLIENT, SERVER], spans).faultCount > 0);
  });
}

function judge(ends: readonly End[], spans: readonly Span[]): Verdict {
  const judge = new Judge(joinEnds(ends), HOST);
  for (const span of spans) judge.take(span);
  return judge.finish();
}

function kinds({ missing, faults }: Verdict): string[] {
  return [...missing, ...faults].map((fault) => fault.split("\n")[0] ?? "");
}

/** A correct span of one of the two ends. */
function spanOf(end: End): Span {
  const client = end.role === "client";
  const events = client ? { "tcpspan.established": "0015", "tcpspan.fin.sent": "0035" } : {
    "tcpspan.established": "0015",
    "tcpspan.fin.received": "0040",
    "tcpspan.fin.sent": "0055",
  };
  return {
    "trace_id": "a".repeat(32),
    "span_id": (client ? "b" : "c").repeat(16),
    ...(client ? {} : { "parent_span_id": "b".repeat(16) }),
    "name": "tcp 2000",
    "kind": client ? "CLIENT" : "SERVER",
    "status": "Unset",
    "start": time("0010"),
    "end": time("0060"),
    "events": Object.entries(events).map(([name, at]) => ({ name, time: time(at) })),
    "network.transport": "tcp",
    "network.type": end.family,
    "network.local.address": end.localAddress,
    "network.local.port": end.localPort,
    "network.peer.address": end.peerAddress,
    "network.peer.port": end.peerPort,
    "server.address": "127.0.0.1",
    "server.port": 2000,
    "client.address": "127.0.0.1",
    "client.port": 40000,
    "process.pid": end.pid,
    "process.executable.name": "traffic",
    "thread.name": end.comm,
    "tcpspan.tx.bytes": end.tx,
    "tcpspan.rx.bytes": end.rx,
    "tcpspan.tx.unacked_bytes": 0,
    "tcpspan.rx.unread_bytes": 0,
    "tcpspan.tx.segments": 1,
    "tcpspan.rx.segments": 1,
    "tcpspan.tx.retransmits": 0,
    "tcpspan.handshake_us": 500,
    "tcpspan.state.last": client ? "fin_wait2" : "last_ack",
    "tcpspan.close.by": client ? "local" : "peer",
    "tcpspan.close.reason": "fin",
    "tcpspan.owner.source": client ? "connect" : "recv",
    "tcpspan.start.observed": true,
    "tcpspan.netns": 1,
    "tcpspan.session.cookie": end.cookie,
  };
}

/** @param tenths of a millisecond, four digits */
function time(tenths: string): string {
  return `1970-01-01T00:00:00.${tenths}00000Z`;
}
