/** Compares what tracers report with the truth. */
import type { TcplifeRow } from "../e2e/tcplife.ts";
import type { ProcessTruth } from "../kernel/actor.ts";
import type { Amount, ExpectedEnd, ExpectedEvent } from "./case.ts";
import {
  amount,
  type Check,
  compare,
  during,
  type Fault,
  is,
  like,
  oneOf,
  optional,
  parseTime,
  showTime,
} from "./check.ts";
import type { HostTruth } from "./host.ts";
import { TOLERANCE_NS } from "./window.ts";

/** A line of the stdout exporter's format `json`. */
export type JsonSpan = Readonly<Record<string, unknown>>;

const KINDS = { client: "CLIENT", server: "SERVER", unknown: "INTERNAL" } as const;
const MS_TOLERANCE = 1;

/** @returns every member and attribute that is wrong, missing, or should not be there */
export function judgeSpan(expected: ExpectedEnd, span: JsonSpan, host: HostTruth): Fault[] {
  const { events, ...members } = span;
  return [
    ...compare({ ...membersOf(expected, host), ...attributesOf(expected) }, members),
    ...judgeEvents(expected.events, events),
    ...judgeOrder(span),
  ];
}

/** @returns what is wrong in how the spans of one session are related */
export function judgeTrace(
  server: ExpectedEnd,
  serverSpan: JsonSpan,
  client: ExpectedEnd,
  clientSpan: JsonSpan,
): Fault[] {
  const checks: Record<string, Check> = {
    trace_id: is(clientSpan["trace_id"]),
    // a missing parent is a fault already
    ...(["client", "maybe"].includes(server.parent) && "parent_span_id" in serverSpan
      ? { parent_span_id: is(clientSpan["span_id"]) }
      : {}),
  };
  const faults = compare(checks, pick(serverSpan, Object.keys(checks)));
  const [serverStart, serverEnd, clientStart, clientEnd] = [
    parseTime(serverSpan["start"]),
    parseTime(serverSpan["end"]),
    parseTime(clientSpan["start"]),
    parseTime(clientSpan["end"]),
  ];
  if (server.role !== "server" || serverStart === undefined || clientStart === undefined) {
    return faults;
  }
  if (serverStart < clientStart) {
    faults.push(outside("start", "the client's or later", clientStart - serverStart));
  }
  if (serverEnd !== undefined && clientEnd !== undefined && serverEnd > clientEnd) {
    // the other end sees an abort only later; and a client that closed is gone when its
    // FIN is acknowledged: whether the server's comes with that is a matter of microseconds
    const abandoned = client.lastState === "fin_wait2" &&
      !hasEvent(clientSpan, "tcpspan.fin.received");
    if (!server.outlivesClient && !abandoned && client.closeReason !== "aborted") {
      faults.push(outside("end", "the client's or earlier", serverEnd - clientEnd));
    }
  }
  return faults;
}

/** @returns every field of a row of tcplife that is wrong */
export function judgeRow(expected: ExpectedEnd, row: TcplifeRow): Fault[] {
  const { owner, local, peer } = expected;
  const nobody = { pid: 0, comm: "" };
  const { pid, comm } = owner === "none" ? nobody : { pid: owner.pid, comm: expected.thread };
  const checks: Record<string, Check> = {
    PID: is(pid),
    COMM: is(comm),
    LADDR: is(withoutZone(local.address)),
    LPORT: is(local.port),
    RADDR: is(withoutZone(peer.address)),
    RPORT: is(peer.port),
    TX_KB: kilobytes(expected.txBytes),
    RX_KB: kilobytes(expected.rxBytes),
    MS: milliseconds(expected),
  };
  const faults = compare(checks, {
    PID: row.pid,
    COMM: row.comm,
    LADDR: row.localAddress,
    LPORT: row.localPort,
    RADDR: row.peerAddress,
    RPORT: row.peerPort,
    TX_KB: row.txKb,
    RX_KB: row.rxKb,
    MS: row.ms,
  });
  if (expected.established === undefined && expected.startObserved) {
    faults.push({
      field: "row",
      expected: `an attempt that ended with ${expected.error ?? expected.closeReason}`,
      found: "looks like a session",
    });
  }
  return faults;
}

function membersOf(expected: ExpectedEnd, host: HostTruth): Record<string, Check> {
  const { role, error, parent } = expected;
  const server = role === "client" ? expected.peer : expected.local;
  const id = like(/^(?!0{16})[\da-f]{16}$/);
  const ephemeral = server.port >= host.ephemeral[0] && server.port <= host.ephemeral[1];
  return {
    trace_id: like(/^(?!0{32})[\da-f]{32}$/),
    span_id: id,
    ...(parent === "none" ? {} : { parent_span_id: parent === "maybe" ? optional(id) : id }),
    name: is(role === "unknown" || ephemeral ? "tcp" : `tcp ${server.port}`),
    kind: is(KINDS[role]),
    status: is(error === undefined ? "Unset" : "Error"),
    ...(error === undefined ? {} : { status_message: like(/\w/) }),
    start: during(expected.start),
    end: during(expected.end),
    "host.name": is(host.name),
    ...(host.id === undefined ? {} : { "host.id": is(host.id) }),
    "os.type": is("linux"),
    ...ownerOf(expected, host),
  };
}

function ownerOf(expected: ExpectedEnd, host: HostTruth): Record<string, Check> {
  const { owner, thread, ownerMayBeGone, cgroup = host } = expected;
  if (owner === "none") return { "service.name": is("unknown_service") };
  const { pod } = expected.cgroup ?? {};
  const path = is(owner.exe_path);
  return {
    "service.name": is(cgroup.service ?? (owner.exe || thread)),
    "service.instance.id": like(/^[\da-f]{8}-[\da-f]{4}-5[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/),
    "process.pid": is(owner.pid),
    ...(owner.exe === "" ? {} : { "process.executable.name": is(owner.exe) }),
    "process.executable.path": ownerMayBeGone ? optional(path) : path,
    "process.creation.time": during(creationOf(owner, host, expected.clockAheadNs)),
    "process.owner": is(host.users.get(owner.uid) ?? String(owner.uid)),
    "thread.name": is(thread),
    ...(cgroup.container === undefined ? {} : { "container.id": is(cgroup.container) }),
    ...(pod === undefined ? {} : { "k8s.pod.uid": is(pod) }),
  };
}

/** A tick is 10 ms, and the time is shown cut to milliseconds. */
function creationOf(owner: ProcessTruth, host: HostTruth, clockAheadNs = 0n) {
  const from = host.bootUnixNs + clockAheadNs + BigInt(owner.start_ticks) * 10_000_000n;
  return { from: from - 1_000_000n, to: from + 10_000_000n };
}

function attributesOf(expected: ExpectedEnd): Record<string, Check> {
  const { local, peer, role, unreadBytes, rttUs, handshakeUs } = expected;
  const [client, server] = role === "client" ? [local, peer] : [peer, local];
  return {
    "network.transport": is("tcp"),
    "network.type": is(expected.family),
    "network.local.address": is(local.address),
    "network.local.port": is(local.port),
    "network.peer.address": is(peer.address),
    "network.peer.port": is(peer.port),
    ...(role === "unknown" ? {} : {
      "client.address": is(client.address),
      "client.port": is(client.port),
      "server.address": is(server.address),
      "server.port": is(server.port),
    }),
    ...(expected.error === undefined ? {} : { "error.type": is(expected.error) }),
    "tcpspan.tx.bytes": amount(expected.txBytes),
    "tcpspan.rx.bytes": amount(expected.rxBytes),
    "tcpspan.tx.unacked_bytes": amount(expected.unackedBytes),
    "tcpspan.rx.unread_bytes": typeof unreadBytes === "object" && "maybe" in unreadBytes
      ? optional(is(unreadBytes.maybe))
      : amount(unreadBytes),
    "tcpspan.tx.segments": amount(expected.txSegments),
    "tcpspan.rx.segments": amount(expected.rxSegments),
    "tcpspan.tx.retransmits": amount(expected.retransmits),
    ...(rttUs === undefined ? {} : {
      "tcpspan.rtt.smoothed_us": amount(rttUs),
      "tcpspan.rtt.min_us": amount(rttUs),
    }),
    ...(handshakeUs === undefined ? {} : { "tcpspan.handshake_us": amount(handshakeUs) }),
    "tcpspan.state.last": is(expected.lastState),
    "tcpspan.close.by": is(expected.closeBy),
    "tcpspan.close.reason": is(expected.closeReason),
    "tcpspan.owner.source": oneOf([expected.ownerSource].flat()),
    "tcpspan.start.observed": is(expected.startObserved),
    "tcpspan.netns": is(expected.netns),
    "tcpspan.session.cookie": expected.cookie === undefined
      ? amount([1, Number.MAX_SAFE_INTEGER])
      : is(Number(expected.cookie)),
    ...(expected.mptcp === undefined ? {} : {
      "tcpspan.mptcp": is(true),
      "tcpspan.mptcp.token": amount([1, 2 ** 32 - 1]),
    }),
    ...(expected.mptcp === "joined" ? { "tcpspan.mptcp.joined": is(true) } : {}),
  };
}

function judgeEvents(expected: readonly ExpectedEvent[], events: unknown): Fault[] {
  if (expected.length === 0 && events === undefined) return [];
  const found = new Map<string, unknown>();
  for (const event of Array.isArray(events) ? events : []) {
    const { name, time, ...rest } = event;
    // a second event of a name, or another member, is a field that nothing expects
    found.set(found.has(name) ? `${name} again` : name, time);
    for (const [key, value] of Object.entries(rest)) found.set(`${name}.${key}`, value);
  }
  const checks = expected.map(({ name, within, optional: missing }) => {
    const check = during(within);
    return [name, missing ? optional(check) : check] as const;
  });
  return compare(Object.fromEntries(checks), Object.fromEntries(found));
}

/** Compares the times of one span with each other. */
function judgeOrder(span: JsonSpan): Fault[] {
  const events = Array.isArray(span["events"]) ? span["events"] : [];
  const times: [string, bigint | undefined][] = [
    ["start", parseTime(span["start"])],
    ...events.map(({ name, time }): [string, bigint | undefined] => [name, parseTime(time)]),
    ["end", parseTime(span["end"])],
  ];
  return times.slice(1).flatMap(([field, time], i) => {
    const [before, earlier] = times[i] ?? ["start", undefined];
    if (time === undefined || earlier === undefined || time >= earlier) return [];
    return [{
      field,
      expected: `not before ${before}: ${showTime(earlier)}`,
      found: showTime(time),
    }];
  });
}

function hasEvent({ events }: JsonSpan, name: string): boolean {
  return Array.isArray(events) && events.some((event) => event.name === name);
}

/** tcplife shows no zone. */
function withoutZone(address: string): string {
  return address.replace(/%.*/, "");
}

/** Payload in KB with two decimals. */
function kilobytes(bytes: Amount): Check {
  if (typeof bytes === "number") return is(Number((bytes / 1024).toFixed(2)));
  const [low, high] = bytes;
  return amount([Number((low / 1024).toFixed(2)), Number((high / 1024).toFixed(2))]);
}

/** From ESTABLISHED to the end; of an attempt, all of it. */
function milliseconds({ start, established = start, end }: ExpectedEnd): Check {
  const low = Number(end.from - established.to - TOLERANCE_NS) / 1e6 - MS_TOLERANCE;
  const high = Number(end.to - established.from + TOLERANCE_NS) / 1e6 + MS_TOLERANCE;
  return amount([Math.max(0, Number(low.toFixed(2))), Number(high.toFixed(2))]);
}

function outside(field: string, expected: string, byNs: bigint): Fault {
  return { field, expected, found: `${Number(byNs) / 1000} µs beyond` };
}

function pick(from: JsonSpan, keys: readonly string[]): JsonSpan {
  return Object.fromEntries(keys.map((key) => [key, from[key]]));
}
