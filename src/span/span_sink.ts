/** What takes in a session's span, and the parts that a span is described with. */
import type {
  Attributes,
  SpanKind,
  TraceState as ApiTraceState,
} from "../../npm/opentelemetry/api.ts";
import { TraceState } from "../../npm/opentelemetry/core.ts";
import type { Resource } from "../../npm/opentelemetry/resources.ts";
import type { ReadableSpan } from "../../npm/opentelemetry/sdk_trace.ts";
import type { Id } from "../ids/ids.ts";
import type { End, Session } from "../session/session.ts";
import type { UnixTime } from "../bytes/unix_time.ts";

let parts = 0;

/** A part that many spans share; a sink may keep its own form of it in an array, at `index`. */
class Part {
  /** Unique among all parts of the program, counted from 0. */
  readonly index = parts++;
}

/** The key of an attribute whose value differs from span to span. */
export class AttributeKey extends Part {
  constructor(readonly name: string) {
    super();
  }
}

/** Attributes that always have the same values. */
export class FixedAttributes extends Part {
  constructor(readonly attributes: Readonly<Attributes>) {
    super();
  }
}

/** Text that is no attribute: the name of an event, the message of a status. */
export class FixedText extends Part {
  constructor(readonly text: string) {
    super();
  }
}

/** A W3C trace state, one of few. */
export class FixedTraceState extends Part {
  readonly object: ApiTraceState;

  /** @param text as in a `tracestate` header */
  constructor(readonly text: string) {
    super();
    this.object = new TraceState(text);
  }
}

/** What a span has besides attributes and events. The same object is filled again for each span. */
export interface SpanHead {
  readonly trace: Id;
  readonly span: Id;
  readonly traceState: FixedTraceState | undefined;
  readonly parent: Id | undefined;
  readonly parentIsRemote: boolean;
  /** Port in the span's name; without one the name is only `SPAN_NAME`. */
  readonly namedPort: number | undefined;
  readonly kind: SpanKind;
  readonly start: UnixTime;
  readonly end: UnixTime;
}

/**
 * Takes in one span at a time: `begin`, its attributes, its events, `end`. Arguments are valid only
 * until the call returns.
 */
export interface SpanSink {
  begin(head: SpanHead): void;
  fixed(attributes: FixedAttributes): void;
  integer(key: AttributeKey, value: number): void;
  /** The address of `session`'s end, with its zone. */
  address(key: AttributeKey, session: Session, end: End): void;
  /** `session`'s `comm`. */
  comm(key: AttributeKey, session: Session): void;
  event(name: FixedText, time: UnixTime): void;
  /** @param error message of the status Error; without one the status is Unset */
  end(error: FixedText | undefined): void;
}

/** Makes a span of a session; the session may be moved on afterwards. */
export type ToSpan = (session: Session) => ReadableSpan;

/** Describes sessions as spans. */
export interface SpanSource {
  /** Describes the span of `session` to `sink`. */
  describe(session: Session, sink: SpanSink): void;
  /** The resource of that span: one object per process. */
  resourceOf(session: Session): Resource;
  /** The span as an object, for code that takes OpenTelemetry's spans. */
  readonly toSpan: ToSpan;
}
