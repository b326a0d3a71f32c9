/** Resources in binary protobuf. */
import { SpanKind, SpanStatusCode, TraceFlags } from "../../../npm/opentelemetry/api.ts";
import { ProtobufTraceSerializer } from "../../../npm/opentelemetry/otlp_transformer.ts";
import type { Resource } from "../../../npm/opentelemetry/resources.ts";
import type { ReadableSpan } from "../../../npm/opentelemetry/sdk_trace.ts";

/**
 * `ResourceSpans.resource`, its tag and length included, as the official serializer writes it: it
 * knows every type of attribute, and there is only one resource for each process.
 */
export function encodeResource(resource: Resource): Uint8Array {
  const request = ProtobufTraceSerializer.serializeRequest([spanOf(resource)]);
  if (request === undefined) {
    throw new TypeError("cannot encode a resource: the serializer returned nothing");
  }
  // ExportTraceServiceRequest { ResourceSpans { Resource …
  const begin = contentOf(request, 0);
  const content = contentOf(request, begin);
  return request.slice(begin, content + lengthOf(request, begin));
}

/** Where the content of the field at `at` begins. */
function contentOf(bytes: Uint8Array, at: number): number {
  let end = at + 1;
  while ((bytes[end] ?? 0) >= 0x80) end++;
  return end + 1;
}

/** How long that content is. */
function lengthOf(bytes: Uint8Array, at: number): number {
  let length = 0;
  for (let i = contentOf(bytes, at) - 1; i > at; i--) length = length << 7 | (bytes[i] ?? 0) & 0x7f;
  return length;
}

function spanOf(resource: Resource): ReadableSpan {
  const context = { traceId: "", spanId: "", traceFlags: TraceFlags.NONE };
  return {
    name: "",
    kind: SpanKind.INTERNAL,
    spanContext: () => context,
    startTime: [0, 0],
    endTime: [0, 0],
    duration: [0, 0],
    status: { code: SpanStatusCode.UNSET },
    attributes: {},
    events: [],
    links: [],
    ended: true,
    resource,
    instrumentationScope: { name: "" },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}
