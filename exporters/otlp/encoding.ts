/** Batches as OTLP request bodies, and what the answers to them say. */
import {
  type IExportTraceServiceResponse,
  type ISerializer,
  JsonTraceSerializer,
  ProtobufTraceSerializer,
} from "../../npm/opentelemetry/otlp_transformer.ts";
import type { ReadableSpan } from "../../npm/opentelemetry/sdk_trace.ts";
import type { SessionBatch } from "../../src/session/batch.ts";
import type { SpanSource, ToSpan } from "../../src/span/span_sink.ts";
import { members } from "./members.ts";
import { TraceRequestEncoder } from "./protobuf/request.ts";

/** How requests and answers are written. */
export interface OtlpEncoding {
  /** An ExportTraceServiceRequest with a span for each session. */
  readonly encode: (batch: SessionBatch) => Uint8Array;
  /** Takes back what `encode` gave when nobody reads it any more; nothing has to be given back. */
  readonly recycle: (body: Uint8Array) => void;
  /** What an ExportTraceServiceResponse says was refused; nothing if it cannot be read. */
  readonly readPartialSuccess: (answer: Uint8Array) => PartialSuccess;
}

/** Spans refused for good, and why; a message without rejected spans is a warning. */
export interface PartialSuccess {
  readonly rejected: number;
  readonly message: string;
}

/** Binary protobuf, by tcpspan's own encoder. */
export function protobufEncoding(spans: SpanSource): OtlpEncoding {
  const encoder = new TraceRequestEncoder(spans);
  return {
    encode: (batch) => encoder.encode(batch),
    recycle: (body) => encoder.recycle(body),
    readPartialSuccess: (answer) => partialSuccess(ProtobufTraceSerializer, answer),
  };
}

/** JSON, by the official serializer. */
export function jsonEncoding(toSpan: ToSpan): OtlpEncoding {
  return {
    encode: (batch) => {
      const body = JsonTraceSerializer.serializeRequest(Array.from(batch, toSpan));
      if (body === undefined) {
        throw new TypeError("cannot encode spans: the serializer gave nothing");
      }
      return body;
    },
    recycle: () => {},
    readPartialSuccess: (answer) => partialSuccess(JsonTraceSerializer, answer),
  };
}

/** The spans have been taken, whatever the answer's body holds: what can't be read says nothing. */
function partialSuccess(
  serializer: ISerializer<ReadableSpan[], IExportTraceServiceResponse>,
  answer: Uint8Array,
): PartialSuccess {
  let response: unknown;
  try {
    response = serializer.deserializeResponse(answer);
  } catch {
    response = undefined;
  }
  const { rejectedSpans, errorMessage } = members(members(response).partialSuccess);
  const rejected = Number(rejectedSpans ?? 0); // in JSON a 64-bit integer may be a string
  return {
    rejected: Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0,
    message: typeof errorMessage === "string" ? errorMessage : "",
  };
}
