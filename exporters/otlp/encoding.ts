/** Batches as OTLP request bodies, and what the answers to them say. */
import {
  JsonTraceSerializer,
  ProtobufTraceSerializer,
} from "../../npm/opentelemetry/otlp_transformer.ts";
import type { SessionBatch } from "../../src/session/batch.ts";
import type { SpanSource, ToSpan } from "../../src/span/span_sink.ts";
import { type PartialSuccess, readPartialSuccess } from "./partial_success.ts";
import { TraceRequestEncoder } from "./protobuf/request.ts";

/** How requests and answers are written. */
export interface OtlpEncoding {
  /** An ExportTraceServiceRequest with a span for each session. */
  readonly encode: (batch: SessionBatch) => Uint8Array;
  /** Takes back what `encode` returned, once nothing reads it any more. A call is optional. */
  readonly recycle: (body: Uint8Array) => void;
  /** What an ExportTraceServiceResponse says was refused; nothing if it cannot be read. */
  readonly readPartialSuccess: (answer: Uint8Array) => PartialSuccess;
}

/** Binary protobuf, by tcpspan's own encoder. */
export function protobufEncoding(spans: SpanSource): OtlpEncoding {
  const encoder = new TraceRequestEncoder(spans);
  return {
    encode: (batch) => encoder.encode(batch),
    recycle: (body) => encoder.recycle(body),
    readPartialSuccess: (answer) =>
      readPartialSuccess(ProtobufTraceSerializer, answer, "rejectedSpans"),
  };
}

/** JSON, by the official serializer. */
export function jsonEncoding(toSpan: ToSpan): OtlpEncoding {
  return {
    encode: (batch) => {
      const body = JsonTraceSerializer.serializeRequest(Array.from(batch, toSpan));
      if (body === undefined) {
        throw new TypeError("cannot encode spans: the serializer returned nothing");
      }
      return body;
    },
    recycle: () => {},
    readPartialSuccess: (answer) =>
      readPartialSuccess(JsonTraceSerializer, answer, "rejectedSpans"),
  };
}
