/** What a span must say, by what the processes wrote down. */
import type { End, How, JoinedEnd } from "./ledger.ts";
import { eventsOf, numberOf, type Span, textOf, unixNs } from "./spans.ts";

/** A field with a wrong value. */
export interface Mismatch {
  readonly field: string;
  readonly expected: string;
  readonly found: string;
  /** Whether it is a time that is late. */
  readonly isLate?: boolean;
}

/** What the spans' clock and names depend on. */
export interface Host {
  /** CLOCK_REALTIME − CLOCK_BOOTTIME, nanoseconds. */
  readonly wallOffsetNs: bigint;
  readonly netns: number;
  /** Whether the kernel gives this port to clients. */
  readonly isEphemeral: (port: number) => boolean;
  readonly executable: string;
}

/** docs/span.md: wall-clock times are right to 100 µs. */
const CLOCK_ERROR_NS = 100_000;
/** How long the last packet of a session may take on a busy machine. */
const LAST_PACKET_NS = 500_000_000;

/** Last state, who ended it, the reason, and the error's type on failure. */
type Ending = readonly [state: string, by: string, reason: string, error?: string];

const ENDINGS: Record<How, (end: End) => readonly Ending[]> = {
  closed_first: () => [["fin_wait2", "local", "fin"]],
  closed_last: () => [["last_ack", "peer", "fin"]],
  closed_at_once: () => [
    ["fin_wait2", "local", "fin"],
    ["closing", "local", "fin"],
    ["last_ack", "peer", "fin"],
  ],
  aborted: (end) => [[stateOf(end), whoEnded(end, "local"), "aborted"]],
  reset: (end) => [[stateOf(end), whoEnded(end, "peer"), "reset", "connection_reset"]],
  refused: () => [["syn_sent", "peer", "refused", "connection_refused"]],
  gave_up: () => [["syn_sent", "local", "aborted"]],
  either: () => [["syn_sent", "local", "aborted"], ["fin_wait2", "local", "fin"]],
  never_accepted: () => [["established", "local", "aborted"]],
};

function stateOf({ after }: End): string {
  return { nothing: "established", own_fin: "fin_wait2", peer_fin: "close_wait" }[after];
}

/** If a FIN came before an abort or a reset, its sender ended the session. */
function whoEnded({ after }: End, otherwise: string): string {
  return { nothing: otherwise, own_fin: "local", peer_fin: "peer" }[after];
}

/** All fields of `span` that are wrong. */
export function compare(end: JoinedEnd, span: Span, host: Host): Mismatch[] {
  const comparison = new Comparison(span, host.wallOffsetNs);
  compareIdentity(comparison, end, host);
  compareOwner(comparison, end, host);
  comparePayload(comparison, end);
  compareEnding(comparison, end);
  compareTimes(comparison, end);
  return comparison.mismatches;
}

class Comparison {
  readonly mismatches: Mismatch[] = [];
  readonly span: Span;
  readonly #offset: bigint;

  constructor(span: Span, offset: bigint) {
    this.span = span;
    this.#offset = offset;
  }

  equal(field: string, ...allowed: readonly (string | number | boolean | undefined)[]): void {
    const found = this.span[field];
    if (allowed.some((value) => value === found)) return;
    this.wrong(
      field,
      allowed.map((value) => JSON.stringify(value) ?? "nothing").join(" or "),
      found,
    );
  }

  atLeast(field: string, least: number): void {
    const found = numberOf(this.span, field);
    if (!(found >= least)) this.wrong(field, `≥ ${least}`, this.span[field]);
  }

  /** A time, RFC 3339, between two of the boot clock. */
  within(field: string, time: string | undefined, low: number, high: number): void {
    if (time === undefined) return this.wrong(field, "a time", undefined);
    const at = this.bootNs(time);
    const early = low - CLOCK_ERROR_NS - at;
    const late = at - high - CLOCK_ERROR_NS;
    const window = `between ${low} and ${high}`;
    if (early > 0) this.wrong(field, window, `${at}, ${early / 1000} µs too early`);
    if (late <= 0) return;
    const found = `${at}, ${late / 1000} µs too late`;
    this.mismatches.push({ field, expected: window, found, isLate: true });
  }

  bootNs(time: string): number {
    return Number(unixNs(time) - this.#offset);
  }

  wrong(field: string, expected: string, found: unknown): void {
    this.mismatches.push({ field, expected, found: JSON.stringify(found) ?? "nothing" });
  }
}

function compareIdentity(comparison: Comparison, end: End, host: Host): void {
  const client = end.role === "client";
  const [serverPort, clientPort] = client
    ? [end.peerPort, end.localPort]
    : [end.localPort, end.peerPort];
  const [serverAddress, clientAddress] = client
    ? [end.peerAddress, end.localAddress]
    : [end.localAddress, end.peerAddress];
  comparison.equal("name", host.isEphemeral(serverPort) ? "tcp" : `tcp ${serverPort}`);
  comparison.equal("kind", client ? "CLIENT" : "SERVER");
  comparison.equal("network.transport", "tcp");
  comparison.equal("network.type", end.family);
  comparison.equal("network.local.address", end.localAddress);
  comparison.equal("network.peer.address", end.peerAddress);
  comparison.equal("network.peer.port", end.peerPort);
  comparison.equal("server.address", serverAddress);
  comparison.equal("server.port", serverPort);
  comparison.equal("client.address", clientAddress);
  if (end.localPort !== 0) {
    comparison.equal("network.local.port", end.localPort);
    comparison.equal("client.port", clientPort);
  }
  if (end.cookie !== 0) comparison.equal("tcpspan.session.cookie", end.cookie);
  comparison.equal("tcpspan.netns", host.netns);
  comparison.equal("tcpspan.start.observed", true);
  for (const [field, digits] of [["trace_id", 32], ["span_id", 16]] as const) {
    const value = textOf(comparison.span, field);
    if (!new RegExp(`^(?!0+$)[0-9a-f]{${digits}}$`).test(value)) {
      comparison.wrong(field, `${digits} hexadecimal digits`, value);
    }
  }
}

/** The process that connected; else the one that first used the accepted socket, or closed it. */
function compareOwner(comparison: Comparison, end: End, host: Host): void {
  const unaccepted = end.how === "never_accepted";
  comparison.equal("process.pid", unaccepted ? end.listenerPid : end.pid);
  comparison.equal("thread.name", unaccepted ? end.listenerComm : end.comm);
  // a killed process that never used the socket has no executable any more when it closes it
  const late = end.killed && !end.used && end.role === "server";
  comparison.equal("process.executable.name", host.executable, ...(late ? [undefined] : []));
  if (unaccepted) return comparison.equal("tcpspan.owner.source", "listen");
  if (end.role === "client") return comparison.equal("tcpspan.owner.source", "connect");
  const sources = [...(end.used ? ["recv"] : []), ...(!end.used || end.usedLate ? ["close"] : [])];
  comparison.equal("tcpspan.owner.source", ...sources);
}

function comparePayload(comparison: Comparison, end: End): void {
  const { span } = comparison;
  comparison.equal("tcpspan.tx.bytes", end.tx);
  comparison.equal("tcpspan.rx.bytes", end.rx);
  comparison.equal("tcpspan.tx.unacked_bytes", end.unacked);
  comparison.equal("tcpspan.rx.unread_bytes", end.unread);
  compareSegments(comparison, "tcpspan.tx.segments", end.tx + end.unacked);
  compareSegments(comparison, "tcpspan.rx.segments", end.rx);
  comparison.atLeast("tcpspan.tx.retransmits", 0);
  if (span["tcpspan.rtt.smoothed_us"] !== undefined) {
    const most = numberOf(span, "tcpspan.rtt.smoothed_us") + 1;
    if (!(numberOf(span, "tcpspan.rtt.min_us") <= most)) {
      comparison.wrong("tcpspan.rtt.min_us", `≤ ${most}`, span["tcpspan.rtt.min_us"]);
    }
  }
}

function compareSegments(comparison: Comparison, field: string, bytes: number): void {
  if (bytes === 0) comparison.equal(field, 0);
  else comparison.atLeast(field, 1);
}

function compareEnding(comparison: Comparison, end: End): void {
  const { span } = comparison;
  const endings = ENDINGS[end.how](end);
  const expected = endings.find(([state]) => state === span["tcpspan.state.last"]) ?? endings[0];
  const [, by, reason, error] = expected ?? ["", "", ""];
  comparison.equal("tcpspan.state.last", ...endings.map(([state]) => state));
  comparison.equal("tcpspan.close.by", by);
  comparison.equal("tcpspan.close.reason", reason);
  comparison.equal("error.type", error);
  comparison.equal("status", error === undefined ? "Unset" : "Error");
  if (error === undefined) comparison.equal("status_message", undefined);
  else if (textOf(span, "status_message") === "") {
    comparison.wrong("status_message", "some text", span["status_message"]);
  }
}

function compareTimes(comparison: Comparison, end: JoinedEnd): void {
  const { span } = comparison;
  const { peer } = end;
  const low = Math.max(end.endLow, end.how === "reset" ? peer?.endLow ?? 0 : 0);
  const last = Math.max(end.finAfter, peer?.finAfter ?? 0) + LAST_PACKET_NS;
  comparison.within("end", textOf(span, "end"), low, end.endHigh || last);

  const events = eventsOf(span);
  compareStart(comparison, end, events);
  compareFins(comparison, end, events);
}

/** Compares the start, with the duration of the handshake. */
function compareStart(
  comparison: Comparison,
  end: JoinedEnd,
  events: ReadonlyMap<string, string>,
): void {
  const { span } = comparison;
  const client = end.role === "client" ? end : end.peer;
  const start = textOf(span, "start");
  comparison.within("start", start, client?.openBefore ?? 0, end.openAfter);
  const handshake = span["tcpspan.handshake_us"];
  const established = events.get("tcpspan.established");
  if (end.how === "refused" || end.how === "gave_up") {
    if (established !== undefined) comparison.wrong("tcpspan.established", "nothing", established);
  } else if (end.how !== "either") {
    // a connect that does not wait returns earlier
    const high = end.path === "connect_close" && end.role === "client"
      ? end.finBefore
      : end.openAfter;
    comparison.within("tcpspan.established", established, client?.openBefore ?? 0, high);
    if (established === undefined) return;
    const us = (comparison.bootNs(established) - comparison.bootNs(start)) / 1000;
    const off = us - numberOf(span, "tcpspan.handshake_us");
    if (end.role === "client" && !(Math.abs(off) <= 1)) {
      comparison.wrong("tcpspan.handshake_us", `${us}`, handshake);
    }
    // a server's round trip ends some time before ESTABLISHED, and may not have been measured
    if (end.role === "server" && off < -1) {
      comparison.wrong("tcpspan.handshake_us", `≤ ${us}`, handshake);
    }
  }
}

function compareFins(
  comparison: Comparison,
  end: JoinedEnd,
  events: ReadonlyMap<string, string>,
): void {
  const sent = events.get("tcpspan.fin.sent");
  const received = events.get("tcpspan.fin.received");
  const reset = events.get("tcpspan.reset.received");
  const sends = end.how.startsWith("closed") || end.after === "own_fin";
  if (sends) comparison.within("tcpspan.fin.sent", sent, end.finBefore, end.finAfter);
  else if (end.how !== "either" && sent !== undefined) {
    comparison.wrong("tcpspan.fin.sent", "nothing", sent);
  }
  if (end.how === "closed_last" || end.after === "peer_fin") {
    const low = end.peer?.finBefore ?? 0;
    comparison.within("tcpspan.fin.received", received, low, end.finSeen);
  } else if (end.how === "closed_first" && (end.finSeen > 0 || received !== undefined)) {
    // the FIN that ends it; an end without a process may be over before
    comparison.equal("end", received);
  } else if (received !== undefined && !["closed_at_once", "either"].includes(end.how)) {
    comparison.wrong("tcpspan.fin.received", "nothing", received);
  }
  if (end.how === "reset") comparison.equal("end", reset);
  else if (reset !== undefined && end.how !== "either") {
    comparison.wrong("tcpspan.reset.received", "nothing", reset);
  }
}
