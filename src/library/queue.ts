/** Exporters behind queues, for programs that deliver sessions themselves. */
import type { QueueSettings } from "../exporter.ts";
import type { QueueCounters } from "../queue/counters.ts";
import { RETRY_ON_FAILURE, SENDING_QUEUE } from "../queue/defaults.ts";
import type { ExporterQueue as RecordQueue } from "../queue/queue.ts";
import { queueSettings } from "../queue/settings.ts";
import { BatchView, type SessionBatch } from "./batch.ts";
import type { ExporterType } from "./exporter.ts";
import { openForeign } from "./foreign_exporter.ts";
import { openSpans, type Spans, SpansView } from "./spans.ts";

const TIMEOUT_MS = 5000; // what a run waits at its end

/** What {@linkcode openExporter} works with, where the defaults are not right. */
export interface OpenExporterOptions {
  /** Names it in messages, and its folder below `queue.storage.folder`. Default: its type. */
  readonly id?: string;
  /** What it makes spans with. Default: {@linkcode openSpans} without options. */
  readonly spans?: Spans;
  /**
   * How the queue works, where not as by default: 100,000 sessions in memory, of which the newest are
   * dropped when it is full, exports of 4096 sessions, one at a time, after 200 ms, tried again from 1
   * to 30 s later, without end.
   */
  readonly queue?: Partial<QueueSettings>;
  /** Takes what the user should know: retries, losses. Default: console.warn. */
  readonly warn?: (message: string) => void;
  /** Called where the exporter asks for an end of the run. */
  readonly stop?: () => void;
}

/**
 * An exporter behind a queue of its own: however slow it is, sessions are taken at once, or dropped and
 * counted.
 */
export interface ExporterQueue extends AsyncDisposable {
  /** Takes the sessions of `batch`, as many as there is room for: copies, so it may be given up. */
  push(batch: SessionBatch): void;
  /** What became of the sessions until now. */
  readonly counters: Readonly<QueueCounters>;
  /** Sessions that wait, or are under way. */
  readonly length: number;
  /**
   * Delivers what waits, and shuts the exporter down. What is not delivered within `timeoutMs`
   * milliseconds, 5000 by default, stays on disk where there is a `storage`, and is lost elsewhere.
   * Disposing does the same.
   */
  close(timeoutMs?: number): Promise<void>;
}

/**
 * Opens an exporter behind a queue: one of your own, or {@linkcode otlpExporter}.
 * @throws what its `open` throws: {UsageError} if settings of the otlp exporter are wrong, or if the
 * queue's folder cannot be used
 *
 * @example Spans to a Collector
 * ```ts
 * import { batchOf, openExporter, otlpExporter } from "@tcpspan/tcpspan";
 *
 * await using queue = await openExporter(otlpExporter, { endpoint: "http://127.0.0.1:4318" });
 * queue.push(batchOf([])); // in a program: each batch of a capture
 * ```
 */
export async function openExporter<Settings>(
  type: ExporterType<Settings>,
  settings: Settings,
  options: OpenExporterOptions = {},
): Promise<ExporterQueue> {
  const { id = type.type, warn = console.warn, stop = () => {} } = options;
  const { openQueue } = await import("../queue/open.ts");
  const baseDirectory = Deno.cwd();
  const opening = { spans: options.spans };
  const exporter = await openForeign(type, settings, {
    id,
    baseDirectory,
    openSpans: async () => SpansView.sourceOf(opening.spans ??= await openSpans()),
    env: (name) => Deno.env.get(name) || undefined,
    reloading: false,
    warn: (message) => warn(`${id}: ${message}`),
    stop,
  });
  const queue = await openQueue({
    id,
    exporter,
    settings: {
      ...queueSettings(SENDING_QUEUE, RETRY_ON_FAILURE, { batchSize: 4096, linger: 200 }),
      ...options.queue,
    },
    warn: (message) => warn(message),
    inform: (message) => warn(message),
    baseDirectory,
  });
  const closing = new AbortController();
  await exporter.start?.(closing.signal);
  return new QueueView(queue, opening.spans, closing);
}

class QueueView implements ExporterQueue {
  readonly #queue: RecordQueue;
  readonly #spans: Spans | undefined;
  readonly #closing: AbortController;

  constructor(queue: RecordQueue, spans: Spans | undefined, closing: AbortController) {
    this.#queue = queue;
    this.#spans = spans;
    this.#closing = closing;
  }

  push(batch: SessionBatch): void {
    const records = BatchView.recordsOf(batch);
    if (this.#closing.signal.aborted) {
      throw new TypeError(`cannot push to the queue of ${this.#queue.id}: it was closed`);
    }
    if (this.#spans !== undefined) SpansView.observe(this.#spans, records);
    this.#queue.push(records);
  }

  get counters(): Readonly<QueueCounters> {
    return this.#queue.counters;
  }

  get length(): number {
    return this.#queue.length + this.#queue.inFlight;
  }

  async close(timeoutMs = TIMEOUT_MS): Promise<void> {
    this.#closing.abort();
    await this.#queue.close(timeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
