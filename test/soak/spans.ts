/** Spans as the format json writes them, one a line. */
import { TextLineStream } from "../lines.ts";

/** A span's members and attributes, flat. */
export type Span = Readonly<Record<string, unknown>>;

/** An event of a span. */
export interface SpanEvent {
  readonly name: string;
  /** RFC 3339. */
  readonly time: string;
}

/** Reads a file of spans, line by line: it may be large. */
export async function* readSpans(path: string): AsyncGenerator<Span> {
  const file = await Deno.open(path);
  for await (const line of file.readable.pipeThrough(new TextLineStream())) {
    if (line !== "") yield JSON.parse(line);
  }
}

/** A number among the attributes; NaN if there is none. */
export function numberOf(span: Span, key: string): number {
  const value = span[key];
  return typeof value === "number" ? value : NaN;
}

/** Text among the members and attributes; empty if there is none. */
export function textOf(span: Span, key: string): string {
  const value = span[key];
  return typeof value === "string" ? value : "";
}

/** Events by name. */
export function eventsOf(span: Span): ReadonlyMap<string, string> {
  const events = Array.isArray(span["events"]) ? span["events"] as SpanEvent[] : [];
  return new Map(events.map(({ name, time }) => [name, time]));
}

/** Nanoseconds since the epoch, of `2026-01-02T03:04:05.000000001Z`. */
export function unixNs(rfc3339: string): bigint {
  const [seconds = "", fraction = ""] = rfc3339.replace("Z", "").split(".");
  return BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
}
