/** The format `json`: one span a line. */
import type { SessionBatch } from "../../src/session/batch.ts";
import type { SpanSource } from "../../src/span/span_sink.ts";
import type { StdoutFormat } from "./format.ts";
import { JsonSpanWriter } from "./json_span.ts";

/**
 * Objects with `trace_id`, `span_id`, `parent_span_id` (if there is one), `trace_state` (if
 * sessions are sampled), `name`, `kind` (`CLIENT`), `status` (`Unset`, `Error`), `status_message`
 * (if there is one), `start` and `end` (RFC 3339 in UTC, nanoseconds), `events` (if there are any;
 * each with `name` and `time`), then the attributes of the resource and those of the span, flat,
 * under their own names. The span's attribute wins over the resource's, and the members named here
 * over both.
 */
export class JsonFormat implements StdoutFormat {
  readonly header = "";
  readonly #spans: SpanSource;
  readonly #writer = new JsonSpanWriter();

  constructor(spans: SpanSource) {
    this.#spans = spans;
  }

  format(batch: SessionBatch): Uint8Array<ArrayBuffer> {
    const writer = this.#writer;
    const session = batch.at(0);
    writer.clear();
    for (let i = 0; i < batch.length; i++) {
      writer.resource = this.#spans.resourceOf(session.moveTo(i));
      this.#spans.describe(session, writer);
    }
    return writer.lines;
  }
}
