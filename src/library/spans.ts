/** Spans of sessions, as programs get them. */
import type { SamplingOptions } from "../ids/sampling.ts";
import type { Session } from "./session.ts";
import type { Span, SpanAttributes, SpanResource } from "./span.ts";

/** How spans are made of sessions. The two ends of a session join only under the same `key`. */
export interface SpanOptions {
  /** Secret that ids of traces and spans are hashed with; one for all hosts. Empty by default. */
  readonly key?: string;
  /**
   * Whether the span of a server's end names the client's as its parent: if this host or one of `peers`
   * exports that (`auto`, the default), always, or never.
   */
  readonly parent?: "auto" | "always" | "never";
  /** Networks whose hosts export spans, too, such as `10.0.0.0/8`. */
  readonly peers?: readonly string[];
  /** Attributes of every resource; they win over what was found. */
  readonly attributes?: SpanAttributes;
  /** Whether resources have `process.command_line`, which may hold secrets. Default false. */
  readonly commandLine?: boolean;
  /** Whether `service.name` is the process's own OTEL_SERVICE_NAME. Default false. */
  readonly fromProcessEnv?: boolean;
  /** The capture's: spans then say how many sessions they stand for. */
  readonly sampling?: SamplingOptions | undefined;
}

/** The ids of a session's span, lower-case hex. They are the same each time. */
export interface SpanIds {
  /** 32 digits: the same at both ends of a session. */
  readonly traceId: string;
  /** 16 digits. */
  readonly spanId: string;
  /** 16 digits; undefined for a span that has no parent. */
  readonly parentSpanId?: string | undefined;
}

/** Makes spans of sessions, as docs/span.md describes them. */
export interface Spans {
  /** The span of `session`, with its resource: a copy, which stays. */
  toSpan(session: Session): Span;
  /** The ids that this span has. */
  idsOf(session: Session): SpanIds;
  /** The resource of the process that owns `session`: one object for each process. */
  resourceOf(session: Session): SpanResource;
}
