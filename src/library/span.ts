/**
 * Spans as objects: the shape of ReadableSpan in `@opentelemetry/sdk-trace`, written down here so that
 * a program that takes no spans need not have OpenTelemetry's packages.
 */

/** Attributes of a span, a resource or an event, by name. */
export interface SpanAttributes {
  /** Text, a number, true or false, or a list of those. */
  [name: string]: unknown;
}

/** A time since the Unix epoch, or a duration: seconds, and nanoseconds below one second. */
export type SpanTime = [seconds: number, nanoseconds: number];

/** W3C trace state: values that travel with the trace's ids. */
export interface SpanTraceState {
  /** A copy with the value of one key. */
  set(key: string, value: string): SpanTraceState;
  /** A copy without a key. */
  unset(key: string): SpanTraceState;
  /** The value of a key. */
  get(key: string): string | undefined;
  /** As the header `tracestate` has it. */
  serialize(): string;
}

/** What names a span. */
export interface SpanContext {
  /** 32 digits, lower-case hex. */
  traceId: string;
  /** 16 digits, lower-case hex. */
  spanId: string;
  /** Whether another process made the span. */
  isRemote?: boolean;
  /** W3C trace flags: 1 for sampled, 2 for a random trace id. */
  traceFlags: number;
  /** Set if sessions were sampled. */
  traceState?: SpanTraceState;
}

/** What a span says about its process and host. */
export interface SpanResource {
  /** Whether some attributes will come later: never. */
  readonly asyncAttributesPending?: boolean;
  /** `service.name`, `process.pid`, `host.name` and others. */
  readonly attributes: SpanAttributes;
  /** The conventions that the names follow. */
  readonly schemaUrl?: string;
  /** Resolves at once. */
  waitForAsyncAttributes?(): Promise<void>;
  /** A resource with the attributes of both; `other` wins. */
  merge(other: SpanResource | null): SpanResource;
  /** The attributes, one by one. */
  getRawAttributes(): [string, unknown][];
}

/** Something that happened while a session lasted. */
export interface SpanEvent {
  /** When. */
  time: SpanTime;
  /** What: see docs/span.md. */
  name: string;
  /** None. */
  attributes?: SpanAttributes;
  /** 0. */
  droppedAttributesCount?: number;
}

/** What made a span. */
export interface SpanScope {
  /** `tcpspan`. */
  readonly name: string;
  /** tcpspan's. */
  readonly version?: string;
  /** The conventions that the names follow. */
  readonly schemaUrl?: string;
}

/** A span. Exporters of OpenTelemetry take it as their ReadableSpan. */
export interface Span {
  /** `tcp`, and the server's port if that says something. */
  readonly name: string;
  /** 0 INTERNAL, 1 SERVER, 2 CLIENT. */
  readonly kind: number;
  /** Its ids. */
  readonly spanContext: () => SpanContext;
  /** The ids of its parent, if it has one. */
  readonly parentSpanContext?: SpanContext;
  /** The parent's id, for exporters of OpenTelemetry JS 1.x. */
  readonly parentSpanId?: string;
  /** When the session began. */
  readonly startTime: SpanTime;
  /** When it ended. */
  readonly endTime: SpanTime;
  /** Code 2, Error, with a message for a session that failed; else code 0, Unset. */
  readonly status: { code: number; message?: string };
  /** See docs/span.md. */
  readonly attributes: SpanAttributes;
  /** None. */
  readonly links: never[];
  /** In the order of their times. */
  readonly events: SpanEvent[];
  /** From start to end. */
  readonly duration: SpanTime;
  /** True. */
  readonly ended: boolean;
  /** Of the process that owns the session. */
  readonly resource: SpanResource;
  /** tcpspan, and its version. */
  readonly instrumentationScope: SpanScope;
  /** The same, for exporters of OpenTelemetry JS 1.x. */
  readonly instrumentationLibrary: SpanScope;
  /** 0. */
  readonly droppedAttributesCount: number;
  /** 0. */
  readonly droppedEventsCount: number;
  /** 0. */
  readonly droppedLinksCount: number;
}
