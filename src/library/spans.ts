/** Spans of sessions, as programs get them. */
import type { SamplingOptions } from "../ids/sampling.ts";
import { RESOURCE, TRACE } from "../config/defaults.ts";
import { SessionBatch as RecordBatch } from "../session/batch.ts";
import type { SpanMapper } from "../span/span_mapper.ts";
import type { SpanHead, SpanSink, SpanSource } from "../span/span_sink.ts";
import type { Session } from "./session.ts";
import type { Span, SpanAttributes, SpanResource } from "./span.ts";
import { SessionView } from "./view.ts";

/** How spans are made of sessions. The two ends of a session join only under the same `key`. */
export interface SpanOptions {
  /** Secret that ids of traces and spans are hashed with; one for all hosts. Empty by default. */
  readonly key?: string;
  /**
   * Whether the span of a server's end names the client's as its parent: where somebody exports that,
   * on this host or one of `peers` (`auto`, the default), always, or never.
   */
  readonly parent?: "auto" | "always" | "never";
  /** Networks whose hosts export spans, too: `10.0.0.0/8`. */
  readonly peers?: readonly string[];
  /** Attributes of every resource; they win over what was found. */
  readonly attributes?: SpanAttributes;
  /** Whether resources have `process.command_line`, which may hold secrets. Default false. */
  readonly commandLine?: boolean;
  /** Whether `service.name` is that of the process's own OTEL_SERVICE_NAME. Default false. */
  readonly fromProcessEnv?: boolean;
  /** As the capture has it: spans say how many sessions they stand for. */
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

/**
 * Loads what makes spans. It reads /proc and /etc/passwd to describe processes, and fetches
 * OpenTelemetry's packages from npm where Deno has not got them yet.
 * @throws {TypeError} if one of `peers` is no network, {RangeError} if the ratio of the sampling is none
 *
 * @example The ids of a session
 * ```ts
 * import { openSpans, sessionOf } from "@tcpspan/tcpspan";
 *
 * const spans = await openSpans({ key: "of our site" });
 * const { traceId, spanId } = spans.idsOf(sessionOf({ comm: "curl" }));
 * console.log(`00-${traceId}-${spanId}-01`);
 * ```
 */
export async function openSpans(options: SpanOptions = {}): Promise<Spans> {
  const { openSpans: open } = await import("../span/open_spans.ts");
  const { key, parent, peers, attributes, commandLine, fromProcessEnv, sampling } = options;
  const mapper = open({
    resource: {
      attributes: attributes ?? RESOURCE.attributes,
      commandLine: commandLine ?? RESOURCE.command_line,
      fromProcessEnv: fromProcessEnv ?? RESOURCE.from_process_env,
    },
    trace: {
      key: key ?? TRACE.key,
      parent: parent ?? TRACE.parent,
      peers: peers ?? TRACE.peers,
    },
    sampling,
  });
  return new SpansView(mapper, mapper);
}

/** Spans of a source. */
export class SpansView implements Spans {
  readonly #source: SpanSource;
  readonly #observer: Pick<SpanMapper, "observe"> | undefined;
  readonly #ids = new IdSink();

  /** @param observer takes note of this host's addresses, where nobody else tells it of sessions */
  constructor(source: SpanSource, observer?: Pick<SpanMapper, "observe">) {
    this.#source = source;
    this.#observer = observer;
  }

  toSpan(session: Session): Span {
    this.#observe(session);
    return { ...this.#source.toSpan(SessionView.recordOf(session)), links: [] };
  }

  idsOf(session: Session): SpanIds {
    this.#observe(session);
    this.#source.describe(SessionView.recordOf(session), this.#ids);
    return this.#ids.last;
  }

  resourceOf(session: Session): SpanResource {
    return this.#source.resourceOf(SessionView.recordOf(session));
  }

  /** What `spans` has its spans from. @throws {TypeError} if they are none of tcpspan's */
  static sourceOf(spans: Spans): SpanSource {
    if (spans instanceof SpansView) return spans.#source;
    throw new TypeError("cannot use spans that are none of tcpspan's: openSpans() makes them");
  }

  /** Has `spans` take note of sessions that will be asked for. */
  static observe(spans: Spans, records: RecordBatch): void {
    if (spans instanceof SpansView) spans.#observer?.observe(records);
  }

  #observe(session: Session): void {
    this.#observer?.observe(new RecordBatch(SessionView.bytesOf(session)));
  }
}

/** Takes in a span, and keeps its ids alone. */
class IdSink implements SpanSink {
  last: SpanIds = { traceId: "", spanId: "" };

  begin({ trace, span, parent }: SpanHead): void {
    this.last = {
      traceId: trace.hex,
      spanId: span.hex,
      ...(parent === undefined ? {} : { parentSpanId: parent.hex }),
    };
  }

  fixed(): void {}
  integer(): void {}
  address(): void {}
  comm(): void {}
  event(): void {}
  end(): void {}
}
