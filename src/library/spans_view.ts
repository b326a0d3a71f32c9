/** What makes spans of records, as programs get it; loaded only if a program asks for spans. */
import { RESOURCE, TRACE } from "../config/defaults.ts";
import { SessionBatch as RecordBatch } from "../session/batch.ts";
import type { SpanMapper } from "../span/span_mapper.ts";
import type { SpanHead, SpanSink, SpanSource } from "../span/span_sink.ts";
import { checkSpanOptions } from "./check_options.ts";
import type { Session } from "./session.ts";
import type { Span, SpanResource } from "./span.ts";
import type { SpanIds, SpanOptions, Spans } from "./spans.ts";
import { SessionView } from "./view.ts";

/** As `openSpans()` of the library. */
export async function openSpansView(options: SpanOptions): Promise<Spans> {
  checkSpanOptions(options);
  const { openSpans } = await import("../span/open_spans.ts");
  const { key, parent, peers, attributes, commandLine, fromProcessEnv, sampling } = options;
  const mapper = openSpans({
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

  /** @param observer takes note of this host's addresses, if nobody else shows it sessions */
  constructor(source: SpanSource, observer?: Pick<SpanMapper, "observe">) {
    this.#source = source;
    this.#observer = observer;
  }

  toSpan(session: Session): Span {
    this.#observe(session);
    const span = this.#source.toSpan(SessionView.recordOf(session));
    return { ...span, instrumentationLibrary: span.instrumentationScope, links: [] };
  }

  idsOf(session: Session): SpanIds {
    this.#observe(session);
    this.#source.describe(SessionView.recordOf(session), this.#ids);
    return this.#ids.last;
  }

  resourceOf(session: Session): SpanResource {
    return this.#source.resourceOf(SessionView.recordOf(session));
  }

  /** What `spans` has its spans from. @throws {TypeError} if tcpspan did not make them */
  static sourceOf(spans: Spans): SpanSource {
    if (spans instanceof SpansView) return spans.#source;
    throw new TypeError("cannot use spans that are none of tcpspan's: openSpans() makes them");
  }

  /** Lets `spans` take note of sessions whose spans will be asked for. */
  static observe(spans: Spans, records: RecordBatch): void {
    if (spans instanceof SpansView) spans.#observer?.observe(records);
  }

  #observe(session: Session): void {
    this.#observer?.observe(new RecordBatch(SessionView.bytesOf(session)));
  }
}

/** Takes in a span, and keeps only its ids. */
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
