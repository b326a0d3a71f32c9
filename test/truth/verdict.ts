/** The verdict on what one tracer reported of one case. */
import type { TcplifeRow } from "../e2e/tcplife.ts";
import type { ExpectedEnd } from "./case.ts";
import type { Fault } from "./check.ts";
import type { HostTruth } from "./host.ts";
import { type JsonSpan, judgeRow, judgeSpan, judgeTrace } from "./judge.ts";
import { match } from "./match.ts";

/** What is wrong with what a tracer reported. */
export interface Verdict {
  readonly ends: readonly EndVerdict[];
  /** What it reported although it did not happen, or reported twice. */
  readonly extra: readonly Fault[];
}

/** What is wrong with what a tracer reported of one end; nothing if there are no faults. */
export interface EndVerdict {
  readonly expected: ExpectedEnd;
  readonly missing: boolean;
  readonly faults: readonly Fault[];
}

/** @param spans from the case's namespaces, in any order */
export function judgeSpans(
  ends: readonly ExpectedEnd[],
  spans: readonly JsonSpan[],
  host: HostTruth,
): Verdict {
  const inOrder = spans.toSorted((a, b) => String(a["start"]).localeCompare(String(b["start"])));
  const { pairs, extra } = match(ends, inOrder, [
    (end, span) => hasCookie(end, span) && hasPorts(end, span),
    hasPorts,
    (end, span) => end.cookie !== undefined && hasCookie(end, span),
  ]);
  const found = new Map(pairs);
  return {
    ends: ends.map((expected) => {
      const span = found.get(expected);
      if (span === undefined) return { expected, missing: true, faults: [] };
      const faults = [...judgeSpan(expected, span, host)];
      const client = ends.find((end) =>
        end !== expected && end.role === "client" &&
        end.session !== undefined && end.session === expected.session
      );
      const clientSpan = client === undefined ? undefined : found.get(client);
      if (client !== undefined && clientSpan !== undefined) {
        faults.push(...judgeTrace(expected, span, client, clientSpan));
      }
      faults.push(...strangers(expected, span, found));
      return { expected, missing: false, faults };
    }),
    extra: extra.map(({ found, twice }) => ({
      field: "span",
      expected: "none",
      found: `${twice ? "twice" : "unexpected"}: ${JSON.stringify(found)}`,
    })),
  };
}

/** @param rows with the case's ports */
export function judgeRows(ends: readonly ExpectedEnd[], rows: readonly TcplifeRow[]): Verdict {
  const { pairs, extra } = match(ends, rows, [
    // two namespaces may have the same addresses and ports
    (end, row) =>
      row.pid === ownerPid(end) && row.localPort === end.local.port &&
      row.peerPort === end.peer.port,
    ({ local, peer }, row) =>
      row.localAddress === local.address && row.localPort === local.port &&
      row.peerAddress === peer.address && row.peerPort === peer.port,
    ({ local, peer }, row) => row.localPort === local.port && row.peerPort === peer.port,
  ]);
  const found = new Map(pairs);
  return {
    ends: ends.map((expected) => {
      const row = found.get(expected);
      return {
        expected,
        missing: row === undefined,
        faults: row === undefined ? [] : judgeRow(expected, row),
      };
    }),
    extra: extra.map(({ found, twice }) => ({
      field: "row",
      expected: "none",
      found: `${twice ? "twice" : "unexpected"}: ${JSON.stringify(found)}`,
    })),
  };
}

/** Other sessions must have other traces, and other processes other service instances. */
function strangers(
  expected: ExpectedEnd,
  span: JsonSpan,
  found: ReadonlyMap<ExpectedEnd, JsonSpan>,
): Fault[] {
  return [...found].flatMap(([other, otherSpan]) => {
    if (other === expected) return [];
    const [own, others] = [span, otherSpan].map((one) => one["service.instance.id"]);
    const same = ownerPid(expected) === ownerPid(other);
    if (same !== (own === others)) {
      const expectedId = `${same ? "" : "not "}that of the ${other.what}`;
      return [{ field: "service.instance.id", expected: expectedId, found: String(own) }];
    }
    if (span["span_id"] === otherSpan["span_id"]) {
      const expectedId = `not that of the ${other.what}`;
      return [{ field: "span_id", expected: expectedId, found: String(span["span_id"]) }];
    }
    const together = expected.session !== undefined && expected.session === other.session;
    if (together || span["trace_id"] !== otherSpan["trace_id"]) return [];
    const expectedId = `not that of the ${other.what}`;
    return [{ field: "trace_id", expected: expectedId, found: String(span["trace_id"]) }];
  });
}

function ownerPid({ owner }: ExpectedEnd): number {
  return owner === "none" ? 0 : owner.pid;
}

function hasCookie({ cookie }: ExpectedEnd, span: JsonSpan): boolean {
  return cookie === undefined || span["tcpspan.session.cookie"] === Number(cookie);
}

function hasPorts({ netns, local, peer }: ExpectedEnd, span: JsonSpan): boolean {
  return span["tcpspan.netns"] === netns && span["network.local.port"] === local.port &&
    span["network.peer.port"] === peer.port;
}
