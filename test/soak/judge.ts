/** Holds the spans against the ledgers: nothing missing, nothing twice, every field right. */
import { compare, type Host, type Mismatch } from "./expect.ts";
import { KNOWN_FAULTS } from "./known.ts";
import type { JoinedEnd } from "./ledger.ts";
import { numberOf, type Span, textOf, unixNs } from "./spans.ts";

const SHOWN = 20; // faults of a kind, in full

/** Ids of an end's span. */
interface Ids {
  readonly trace: string;
  readonly span: string;
  readonly parent: string;
}

/** What came of it. */
export interface Verdict {
  readonly ends: number;
  readonly spans: number;
  /** Ends and faults, by path and role. */
  readonly paths: ReadonlyMap<string, PathCount>;
  /** The first faults of each kind, in full. */
  readonly faults: readonly string[];
  readonly faultCount: number;
  /** Fields that known faults explain, by fault. */
  readonly known: ReadonlyMap<string, number>;
}

/** Of one path and role. */
export interface PathCount {
  ends: number;
  faults: number;
}

/** Takes spans one by one, of one network namespace. */
export class Judge {
  readonly #host: Host;
  readonly #ends: readonly JoinedEnd[];
  readonly #byCookie = new Map<number, JoinedEnd[]>();
  /** Ends that no process has had: only their addresses are known. */
  readonly #byAddresses = new Map<string, JoinedEnd[]>();
  readonly #found = new Map<JoinedEnd, Ids>();
  readonly #spanIds = new Set<string>();
  readonly #paths = new Map<string, PathCount>();
  readonly #kinds = new Map<string, number>();
  readonly #known = new Map<string, number>();
  readonly #faults: string[] = [];
  #spans = 0;
  #faultCount = 0;

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
    const ids = {
      trace: textOf(span, "trace_id"),
      span: textOf(span, "span_id"),
      parent: textOf(span, "parent_span_id"),
    };
    this.#found.set(end, ids);
    const mismatches = compare(end, span, this.#host);
    if (this.#spanIds.has(ids.span)) {
      mismatches.push({ field: "span_id", expected: "an id of its own", found: ids.span });
    }
    this.#spanIds.add(ids.span);
    for (const mismatch of mismatches) this.#wrong(end, mismatch, span);
  }

  /** After the last span. */
  finish(): Verdict {
    const traces = new Map<string, string>();
    for (const end of this.#ends) {
      const ids = this.#found.get(end);
      if (ids === undefined) {
        this.#fault("missing", end, undefined);
        continue;
      }
      const session = `${end.session}/${end.attempt}`;
      const other = traces.get(ids.trace) ?? session;
      if (other !== session) {
        this.#wrong(end, { field: "trace_id", expected: "its own", found: `that of ${other}` });
      }
      traces.set(ids.trace, session);
      this.#compareIds(end, ids);
    }
    return {
      ends: this.#ends.length,
      spans: this.#spans,
      paths: this.#paths,
      faults: this.#faults,
      faultCount: this.#faultCount,
      known: this.#known,
    };
  }

  /** A socket that connected twice has two ends: the one that began when the span did. */
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

  /** Both ends are in one trace, which no other session is in; the server's span is the child. */
  #compareIds(end: JoinedEnd, ids: Ids): void {
    const peer = end.peer === undefined ? undefined : this.#found.get(end.peer);
    if (end.role === "client") {
      if (ids.parent !== "") {
        this.#wrong(end, { field: "parent_span_id", expected: "nothing", found: ids.parent });
      }
      return;
    }
    if (peer === undefined) return; // reported as missing
    if (ids.trace !== peer.trace) {
      this.#wrong(end, { field: "trace_id", expected: peer.trace, found: ids.trace });
    }
    if (ids.parent !== peer.span) {
      this.#wrong(end, { field: "parent_span_id", expected: peer.span, found: ids.parent });
    }
  }

  #wrong(end: JoinedEnd, mismatch: Mismatch, span?: Span): void {
    const known = KNOWN_FAULTS.find(({ fits }) => fits(end, mismatch));
    if (known !== undefined) {
      this.#known.set(known.name, (this.#known.get(known.name) ?? 0) + 1);
      return;
    }
    const { field, expected, found } = mismatch;
    this.#fault(`wrong ${field}`, end, span, `expected ${expected}, found ${found}`);
  }

  #fault(kind: string, end: JoinedEnd | undefined, span: Span | undefined, what = ""): void {
    this.#faultCount++;
    if (end !== undefined) this.#path(end).faults++;
    const full = end === undefined ? kind : `${end.path}, ${end.role}: ${kind}`;
    const count = (this.#kinds.get(full) ?? 0) + 1;
    this.#kinds.set(full, count);
    if (count > SHOWN) return;
    const lines = [what === "" ? full : `${full}: ${what}`];
    if (end !== undefined) lines.push(`  written down: ${withoutPeer(end)}`);
    if (end?.peer !== undefined) lines.push(`  other end:    ${withoutPeer(end.peer)}`);
    if (span !== undefined) lines.push(`  span:         ${JSON.stringify(span)}`);
    this.#faults.push(lines.join("\n"));
  }

  #path({ path, role }: JoinedEnd): PathCount {
    const key = `${path} ${role}`;
    const count = this.#paths.get(key) ?? { ends: 0, faults: 0 };
    this.#paths.set(key, count);
    return count;
  }
}

/** A verdict for people: a table by path, what is known, and the first faults. */
export function describe(verdict: Verdict): string {
  const rows = [...verdict.paths].sort(([a], [b]) => a < b ? -1 : 1)
    .map(([path, { ends, faults }]) =>
      `  ${path.padEnd(26)} ${String(ends).padStart(8)} ends ${String(faults).padStart(6)} faults`
    );
  const known = [...verdict.known].map(([name, count]) => `  known: ${name}: ${count} fields`);
  const summary = `${verdict.ends} ends, ${verdict.spans} spans, ${verdict.faultCount} faults`;
  return [summary, ...rows, ...known, ...verdict.faults].join("\n");
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
