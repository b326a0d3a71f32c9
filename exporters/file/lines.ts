/** Sessions as lines of OTLP JSON, one TracesData a line, as the Collector's file exporter writes. */
import { JsonTraceSerializer } from "../../npm/opentelemetry/otlp_transformer.ts";
import type { Resource } from "../../npm/opentelemetry/resources.ts";
import type { ReadableSpan } from "../../npm/opentelemetry/sdk_trace.ts";
import { Buffer, isAscii } from "node:buffer";
import type { SessionBatch } from "../../src/session/batch.ts";
import type { ToSpan } from "../../src/span/span_sink.ts";
import { printableJson } from "../../src/messages/printable.ts";

/** Bytes that a line stays under, its end included: the Collector's file receiver reads no more. */
export const LINE_LIMIT = 1024 * 1024;

/** About half of LINE_LIMIT, and few enough that encoding a line holds up nothing else for long. */
const SESSIONS_PER_LINE = 256;

/**
 * The lines of a batch, each with its line feed. Lines over LINE_LIMIT are split, so a line that is
 * longer has a single session.
 */
export function* encodeLines(
  batch: SessionBatch,
  toSpan: ToSpan,
): Generator<Uint8Array<ArrayBuffer>> {
  for (let start = 0; start < batch.length; start += SESSIONS_PER_LINE) {
    const end = Math.min(start + SESSIONS_PER_LINE, batch.length);
    yield* splitLines(Array.from(batch.slice(start, end), toSpan));
  }
}

function* splitLines(spans: ReadableSpan[]): Generator<Uint8Array<ArrayBuffer>> {
  const line = encodeLine(spans);
  if (line.length < LINE_LIMIT || spans.length === 1) return yield line;
  const half = spans.length >> 1;
  yield* splitLines(spans.slice(0, half));
  yield* splitLines(spans.slice(half));
}

function encodeLine(spans: readonly ReadableSpan[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  for (const group of Map.groupBy(spans, (span): Resource => span.resource).values()) {
    parts.push(parts.length === 0 ? OPEN : COMMA, ...encodeResourceSpans(group));
  }
  return escapeUnprintable(Buffer.concat([...parts, CLOSE]));
}

const DELETE = 0x7f;

/** People read files on terminals, and processes choose their own names. */
function escapeUnprintable(line: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  if (isAscii(line) && !line.includes(DELETE)) return line; // JSON escapes the rest
  return Buffer.from(printableJson(line.toString()));
}

const OPEN = Buffer.from('{"resourceSpans":[');
const CLOSE = Buffer.from("]}\n");
const COMMA = Buffer.from(",");
const BEGIN = Buffer.from("{");
const END = Buffer.from("}");
// A quote inside a JSON string is escaped, so this can only be the member itself.
const SCOPE_SPANS = Buffer.from(',"scopeSpans":[');

/**
 * The ResourceSpans of spans with one resource, its scopeSpans moved before its resource: the
 * Collector's file receiver distinguishes files by their first 1000 bytes, which must not be the
 * same resource in each file of a rotation.
 */
function encodeResourceSpans(spans: ReadableSpan[]): Uint8Array[] {
  const request = JsonTraceSerializer.serializeRequest(spans) ?? new Uint8Array();
  const json = Buffer.from(request.buffer, request.byteOffset, request.length);
  const scopeSpans = json.indexOf(SCOPE_SPANS);
  if (scopeSpans === -1) throw new Error("cannot encode spans: the serializer made no scopeSpans");
  // {"resourceSpans":[ { "resource":… ,"scopeSpans":… } ]}
  const resource = json.subarray(OPEN.length + BEGIN.length, scopeSpans);
  const rest = json.subarray(scopeSpans + COMMA.length, json.length - "}]}".length);
  return [BEGIN, rest, COMMA, resource, END];
}
