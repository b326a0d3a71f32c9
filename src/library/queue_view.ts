/** A queue of records, as programs get it: loaded by who delivers. */
import type { QueueCounters } from "../queue/counters.ts";
import { RETRY_ON_FAILURE, SENDING_QUEUE } from "../queue/defaults.ts";
import { openQueue } from "../queue/open.ts";
import type { ExporterQueue as RecordQueue } from "../queue/queue.ts";
import { queueSettings } from "../queue/settings.ts";
import { BatchView, type SessionBatch } from "./batch.ts";
import type { ExporterType } from "./exporter.ts";
import { openForeign } from "./foreign_exporter.ts";
import type { ExporterQueue, OpenExporterOptions } from "./queue.ts";
import type { Spans } from "./spans.ts";
import { openSpansView, SpansView } from "./spans_view.ts";

const TIMEOUT_MS = 5000; // what a run waits at its end

/** As `openExporter()`. */
export async function openQueueView<Settings>(
  type: ExporterType<Settings>,
  settings: Settings,
  options: OpenExporterOptions,
): Promise<ExporterQueue> {
  const { id = type.type, warn = console.warn, stop = () => {} } = options;
  const baseDirectory = Deno.cwd();
  const opening = { spans: options.spans };
  const exporter = await openForeign(type, settings, {
    id,
    baseDirectory,
    openSpans: async () => SpansView.sourceOf(opening.spans ??= await openSpansView({})),
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
