/** Compares the spans with the ledgers: nothing missing, nothing twice, every field right. */
import { compare, type Host, type Mismatch } from "./expect.ts";
import type { JoinedEnd } from "./ledger.ts";
import { eventsOf, numberOf, type Span, textOf, unixNs } from "./spans.ts";

const SHOWN = 20; // faults of a kind, in full

/** What is compared between the spans of both ends. */
interface Found {
  readonly trace: string;
  readonly span: string;
  readonly parent: string;
  /** Nanoseconds since the epoch. */
  readonly start: bigint;
  readonly end: bigint;
  readonly finReceived: boolean;
  readonly lastState: string;
}

/** The result. */
export interface Verdict {
  readonly ends: number;
  readonly spans: number;
  /** Ends and faults, by path and role. */
  readonly paths: ReadonlyMap<string, PathCount>;
  /** The first faults of each kind, in full. */
  readonly faults: readonly string[];
  readonly faultCount: number;
  /** Of these, times that are late. */
  readonly lateCount: number;
  /** Ends without a span: faults, unless the tracer counted them as lost. */
  readonly missing: readonly string[];
}

/** The counts of one path and role. */
export interface PathCount {
  ends: number;
  missing: number;
  faults: number;
}

/** Takes the spans of one network namespace, one by one. */
export class Judge {
  readonly #host: Host;
  readonly #ends: readonly JoinedEnd[];
  readonly #byCookie = new Map<number, JoinedEnd[]>();
  /** Ends that no process ever had: only their addresses are known. */
  readonly #byAddresses = new Map<string, JoinedEnd[]>();
  readonly #found = new Map<JoinedEnd, Found>();
  readonly #spanIds = new Set<string>();
  readonly #paths = new Map<string, PathCount>();
  readonly #kinds = new Map<string, number>();
  readonly #faults: string[] = [];
  readonly #missing: string[] = [];
  #spans = 0;
  #faultCount = 0;
  #lateCount = 0;

  constructor(ends: readonly JoinedEnd[], host: Host) {
    this.#ends = ends;
    this.#host = host;
    for (const end of ends) {
      if (end.cookie === 0) push(this.#byAddresses, addressesOf(end), end);
      else push(this.#byCookie, end.cookie, end);
      this.#path(end).ends++;
    }
  }

  take(span: Span): void {
    if (span["tcpspan.netns"] !== this.#host.netns) return;
    this.#spans++;
    const end = this.#endOf(span);
    if (end === undefined) {
      this.#fault("unexpected", undefined, span);
      return;
    }
    if (this.#found.has(end)) {
      this.#fault("twice", end, span);
      return;
    }
    const found = {
      trace: textOf(span, "trace_id"),
      span: textOf(span, "span_id"),
      parent: textOf(span, "parent_span_id"),
      start: unixNs(textOf(span, "start")),
      end: unixNs(textOf(span, "end")),
      finReceived: eventsOf(span).has("tcpspan.fin.received"),
      lastState: textOf(span, "tcpspan.state.last"),
    };
    this.#found.set(end, found);
    const mismatches = compare(end, span, this.#host);
    if (this.#spanIds.has(found.span)) {
      mismatches.push({ field: "span_id", expected: "an id of its own", found: found.span });
    }
    this.#spanIds.add(found.span);
    for (const mismatch of mismatches) this.#wrong(end, mismatch, span);
  }

  /** After the last span. */
  finish(): Verdict {
    const traces = new Map<string, string>();
    for (const end of this.#ends) {
      const found = this.#found.get(end);
      if (found === undefined) {
        this.#path(end).missing++;
        this.#missing.push(describeFault(`${end.path}, ${end.role}: missing`, end));
        continue;
      }
      const session = `${end.session}/${end.attempt}`;
      const other = traces.get(found.trace) ?? session;
      if (other !== session) {
        this.#wrong(end, { field: "trace_id", expected: "its own", found: `that of ${other}` });
      }
      traces.set(found.trace, session);
      this.#compareIds(end, found);
      this.#compareNesting(end, found);
    }
    return {
      ends: this.#ends.length,
      spans: this.#spans,
      paths: this.#paths,
      faults: this.#faults,
      faultCount: this.#faultCount,
      lateCount: this.#lateCount,
      missing: this.#missing,
    };
  }

  /** A socket that connected twice has two ends: the right one began with the span. */
  #endOf(span: Span): JoinedEnd | undefined {
    const role = span["kind"] === "CLIENT" ? "client" : "server";
    const candidates = this.#byCookie.get(numberOf(span, "tcpspan.session.cookie")) ??
      this.#byAddresses.get(addressesOfSpan(span)) ?? [];
    const attempts = candidates.filter((end) => end.role === role);
    if (attempts.length < 2) return attempts[0];
    const started = Number(unixNs(textOf(span, "start")) - this.#host.wallOffsetNs);
    const away = ({ openBefore, openAfter }: JoinedEnd) =>
      Math.max(openBefore - started, started - openAfter, 0);
    return attempts.reduce((best, end) => away(end) < away(best) ? end : best);
  }

  /** Both ends must be in one trace, without other sessions; the server's span is the child. */
  #compareIds(end: JoinedEnd, ids: Found): void {
    const peer = end.peer === undefined ? undefined : this.#found.get(end.peer);
    if (end.role === "client") {
      if (ids.parent !== "") {
        this.#wrong(end, { field: "parent_span_id", expected: "nothing", found: ids.parent });
      }
      return;
    }
    if (peer === undefined) return; // missing
    if (ids.trace !== peer.trace) {
      this.#wrong(end, { field: "trace_id", expected: peer.trace, found: ids.trace });
    }
    if (ids.parent !== peer.span) {
      this.#wrong(end, { field: "parent_span_id", expected: peer.span, found: ids.parent });
    }
  }

  /**
   * The server's span is within the client's if the client had the server's FIN. If the FINs
   * crossed, neither closed first: each end is over with the acknowledgement of its own FIN.
   */
  #compareNesting(end: JoinedEnd, server: Found): void {
    const client = end.peer === undefined ? undefined : this.#found.get(end.peer);
    if (end.role === "client" || client === undefined) return;
    const early = client.start - server.start;
    if (early > 0n) {
      this.#wrong(end, {
        field: "start",
        expected: "after its client's",
        found: `${early} ns before`,
      });
    }
    const late = server.end - client.end;
    const crossed = server.lastState === "closing" && client.lastState === "closing";
    if (late > 0n && client.finReceived && !crossed && end.peer?.how !== "aborted") {
      this.#wrong(end, {
        field: "end",
        expected: "before its client's",
        found: `${late} ns after, from ${server.lastState} and ${client.lastState}`,
      });
    }
  }

  #wrong(end: JoinedEnd, mismatch: Mismatch, span?: Span): void {
    const { field, expected, found } = mismatch;
    if (mismatch.isLate === true) this.#lateCount++;
    this.#fault(`wrong ${field}`, end, span, `expected ${expected}, found ${found}`);
  }

  #fault(kind: string, end: JoinedEnd | undefined, span: Span | undefined, what = ""): void {
    this.#faultCount++;
    if (end !== undefined) this.#path(end).faults++;
    const full = end === undefined ? kind : `${end.path}, ${end.role}: ${kind}`;
    const count = (this.#kinds.get(full) ?? 0) + 1;
    this.#kinds.set(full, count);
    if (count > SHOWN) return;
    this.#faults.push(describeFault(what === "" ? full : `${full}: ${what}`, end, span));
  }

  #path({ path, role }: JoinedEnd): PathCount {
    const key = `${path} ${role}`;
    const count = this.#paths.get(key) ?? { ends: 0, missing: 0, faults: 0 };
    this.#paths.set(key, count);
    return count;
  }
}

/** A verdict for people: a table by path, and the first faults. */
export function describe({ ends, spans, missing, faultCount, faults, paths }: Verdict): string {
  const rows = [...paths].sort(([a], [b]) => a < b ? -1 : 1).map(([path, count]) =>
    [
      `  ${path.padEnd(26)} ${String(count.ends).padStart(8)} ends`,
      `${String(count.missing).padStart(4)} missing`,
      `${String(count.faults).padStart(4)} faults`,
    ].join(" ")
  );
  const summary = `${ends} ends, ${spans} spans, ${missing.length} missing, ${faultCount} faults`;
  return [summary, ...rows, ...missing.slice(0, SHOWN), ...faults].join("\n");
}

function describeFault(what: string, end?: JoinedEnd, span?: Span): string {
  const lines = [what];
  if (end !== undefined) lines.push(`  written down: ${withoutPeer(end)}`);
  if (end?.peer !== undefined) lines.push(`  other end:    ${withoutPeer(end.peer)}`);
  if (span !== undefined) lines.push(`  span:         ${JSON.stringify(span)}`);
  return lines.join("\n");
}

function withoutPeer(end: JoinedEnd): string {
  return JSON.stringify({ ...end, peer: undefined });
}

function addressesOf(end: JoinedEnd): string {
  const { localAddress, localPort, peerAddress, peerPort } = end;
  return `${localAddress} ${localPort} ${peerAddress} ${peerPort}`;
}

function addressesOfSpan(span: Span): string {
  return ["local.address", "local.port", "peer.address", "peer.port"]
    .map((key) => span[`network.${key}`]).join(" ");
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}
