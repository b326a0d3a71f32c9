/** The format `json`: one span a line. */
import { type HrTime, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { SessionBatch } from "../../src/batch.ts";
import type { Spans } from "../../src/exporter.ts";
import { printableJson } from "../../src/printable.ts";
import { formatRfc3339 } from "../../src/rfc3339.ts";
import type { StdoutFormat } from "./format.ts";

/**
 * Objects with `trace_id`, `span_id`, `parent_span_id` (where there is one), `name`, `kind`
 * (`CLIENT`), `status` (`Unset`, `Error`), `status_message` (where there is one), `start` and `end`
 * (RFC 3339 in UTC, nanoseconds), `events` (where there are any; `name` and `time` each), then the
 * attributes of the resource and those of the span, flat, under their own names. The span's
 * attribute wins over the resource's, and the members named here over both.
 */
export class JsonFormat implements StdoutFormat {
  readonly header = "";
  readonly #toSpan: Spans["toSpan"];

  constructor(toSpan: Spans["toSpan"]) {
    this.#toSpan = toSpan;
  }

  format(batch: SessionBatch): string {
    const session = batch.at(0);
    let text = "";
    for (let i = 0; i < batch.length; i++) {
      text += JSON.stringify(flatten(this.#toSpan(session.moveTo(i)))) + "\n";
    }
    return printableJson(text);
  }
}

const STATUS = {
  [SpanStatusCode.UNSET]: "Unset",
  [SpanStatusCode.OK]: "Ok",
  [SpanStatusCode.ERROR]: "Error",
} as const;

function flatten(span: ReadableSpan): Record<string, unknown> {
  const { traceId, spanId } = span.spanContext();
  const { parentSpanContext, status, events } = span;
  const members = { // JSON has no undefined: such a member is left out
    trace_id: traceId,
    span_id: spanId,
    parent_span_id: parentSpanContext?.spanId,
    name: span.name,
    kind: SpanKind[span.kind],
    status: STATUS[status.code],
    status_message: status.message,
    start: rfc3339(span.startTime),
    end: rfc3339(span.endTime),
    events: events.length === 0
      ? undefined
      : events.map(({ name, time }) => ({ name, time: rfc3339(time) })),
  };
  // a member's place is where it first stands, its value the last one
  return { ...members, ...span.resource.attributes, ...span.attributes, ...members };
}

function rfc3339([seconds, nanoseconds]: HrTime): string {
  return formatRfc3339(BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds), 9);
}
