/** Spans as objects, for code that takes OpenTelemetry's spans. */
import {
  type Attributes,
  type HrTime,
  type SpanContext,
  SpanKind,
  type SpanStatus,
  SpanStatusCode,
  TraceFlags,
} from "../../npm/opentelemetry/api.ts";
import type { Resource } from "../../npm/opentelemetry/resources.ts";
import type { ReadableSpan, TimedEvent } from "../../npm/opentelemetry/sdk_trace.ts";
import type { End, Session } from "../session/session.ts";
import type { AttributeKey, FixedAttributes, FixedText, SpanHead, SpanSink } from "./span_sink.ts";
import { SCOPE, SPAN_NAME, TRACE_FLAGS } from "./every_span.ts";
import type { UnixTime } from "../bytes/unix_time.ts";
import { withZone } from "./zone.ts";

/** A span that also has the names under which exporters of OpenTelemetry JS 1.x look for two parts. */
export interface SpanOfBothVersions extends ReadableSpan {
  /** The id of `parentSpanContext`. */
  readonly parentSpanId?: string;
  /** The `instrumentationScope`. */
  readonly instrumentationLibrary: ReadableSpan["instrumentationScope"];
}

/** Takes in one span, and makes an object of it. */
export class ReadableSpanBuilder implements SpanSink {
  readonly #attributes: Attributes = {};
  readonly #events: TimedEvent[] = [];
  #context: SpanContext = { traceId: "", spanId: "", traceFlags: TraceFlags.NONE };
  #parent: SpanContext | undefined;
  #name = "";
  #kind: SpanKind = SpanKind.INTERNAL;
  #start = 0n;
  #end = 0n;
  #status: SpanStatus = { code: SpanStatusCode.UNSET };

  begin(head: SpanHead): void {
    const traceId = head.trace.hex;
    const traceFlags = TRACE_FLAGS;
    this.#context = {
      traceId,
      spanId: head.span.hex,
      traceFlags,
      ...(head.traceState === undefined ? {} : { traceState: head.traceState.object }),
    };
    this.#parent = head.parent === undefined
      ? undefined
      : { traceId, spanId: head.parent.hex, traceFlags, isRemote: head.parentIsRemote };
    this.#name = head.namedPort === undefined ? SPAN_NAME : `${SPAN_NAME} ${head.namedPort}`;
    this.#kind = head.kind;
    this.#start = head.start.ns;
    this.#end = head.end.ns;
  }

  fixed({ attributes }: FixedAttributes): void {
    Object.assign(this.#attributes, attributes);
  }

  integer({ name }: AttributeKey, value: number): void {
    this.#attributes[name] = value;
  }

  address({ name }: AttributeKey, session: Session, end: End): void {
    this.#attributes[name] = withZone(session, end);
  }

  comm({ name }: AttributeKey, session: Session): void {
    this.#attributes[name] = session.comm;
  }

  event({ text }: FixedText, time: UnixTime): void {
    this.#events.push({
      name: text,
      time: hrTime(time.ns),
      attributes: {},
      droppedAttributesCount: 0,
    });
  }

  end(error: FixedText | undefined): void {
    if (error !== undefined) this.#status = { code: SpanStatusCode.ERROR, message: error.text };
  }

  /** The span that was taken in. */
  build(resource: Resource): SpanOfBothVersions {
    const context = this.#context;
    const parent = this.#parent;
    return {
      name: this.#name,
      kind: this.#kind,
      spanContext: () => context,
      ...(parent === undefined ? {} : { parentSpanContext: parent, parentSpanId: parent.spanId }),
      startTime: hrTime(this.#start),
      endTime: hrTime(this.#end),
      duration: hrTime(this.#end - this.#start),
      status: this.#status,
      attributes: this.#attributes,
      events: this.#events,
      links: [],
      ended: true,
      resource,
      instrumentationScope: SCOPE,
      instrumentationLibrary: SCOPE,
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
  }
}

function hrTime(ns: bigint): HrTime {
  return [Number(ns / 1_000_000_000n), Number(ns % 1_000_000_000n)];
}
