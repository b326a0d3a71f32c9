/** Reads OTLP JSON lines, as the Collector's and tcpspan's file exporters write them. */

/** A value of an attribute in OTLP's JSON. */
interface AnyValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string | number;
  doubleValue?: number;
  arrayValue?: { values?: AnyValue[] };
}

interface KeyValue {
  key: string;
  value: AnyValue;
}

interface ApiSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  traceState?: string;
  flags?: number;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes?: KeyValue[];
  events?: { name: string; timeUnixNano: string; attributes?: KeyValue[] }[];
  status?: { code?: number; message?: string };
}

/** One TracesData: what a line holds. */
interface TracesData {
  resourceSpans?: {
    resource?: { attributes?: KeyValue[] };
    scopeSpans: {
      scope?: { name?: string; version?: string };
      schemaUrl?: string;
      spans: ApiSpan[];
    }[];
  }[];
}

/** A span of OTLP JSON with its lists of attributes as objects; integers are bigints. */
export interface OtlpSpan {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  /** W3C: a list of members with commas; empty for none. */
  readonly traceState: string;
  readonly name: string;
  /** opentelemetry.proto.trace.v1.Span.SpanKind: 1 INTERNAL, 2 SERVER, 3 CLIENT. */
  readonly kind: number;
  /** Nanoseconds since the epoch. */
  readonly startNs: bigint;
  /** Nanoseconds since the epoch. */
  readonly endNs: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly {
    readonly name: string;
    readonly timeNs: bigint;
    readonly attributes: Readonly<Record<string, unknown>>;
  }[];
  /** 0 Unset, 1 Ok, 2 Error. */
  readonly status: { readonly code: number; readonly message: string };
  readonly resource: Readonly<Record<string, unknown>>;
  readonly scope: { readonly name: string; readonly version: string; readonly schemaUrl: string };
}

/** The spans of a file's text, in order. A last line without its end is left out. */
export function parseOtlpJsonLines(text: string): OtlpSpan[] {
  return text.split("\n").slice(0, -1).flatMap((line) => [...spansOf(JSON.parse(line))]);
}

function* spansOf(data: TracesData): Generator<OtlpSpan> {
  for (const { resource, scopeSpans } of data.resourceSpans ?? []) { // none in an empty request
    const resourceAttributes = toObject(resource?.attributes);
    for (const { scope, schemaUrl, spans } of scopeSpans) {
      for (const span of spans) {
        yield {
          traceId: span.traceId,
          spanId: span.spanId,
          parentSpanId: span.parentSpanId || undefined,
          traceState: span.traceState ?? "",
          name: span.name,
          kind: span.kind,
          startNs: BigInt(span.startTimeUnixNano),
          endNs: BigInt(span.endTimeUnixNano),
          attributes: toObject(span.attributes),
          events: (span.events ?? []).map((event) => ({
            name: event.name,
            timeNs: BigInt(event.timeUnixNano),
            attributes: toObject(event.attributes),
          })),
          status: { code: span.status?.code ?? 0, message: span.status?.message ?? "" },
          resource: resourceAttributes,
          scope: {
            name: scope?.name ?? "",
            version: scope?.version ?? "",
            schemaUrl: schemaUrl ?? "",
          },
        };
      }
    }
  }
}

function toObject(attributes: readonly KeyValue[] = []): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, toValue(value)]));
}

function toValue(value: AnyValue): unknown {
  if (value.intValue !== undefined) return BigInt(value.intValue);
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(toValue);
  return value.stringValue ?? value.boolValue ?? value.doubleValue;
}
