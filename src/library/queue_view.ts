/** A queue of records, as programs get it; loaded only if a program delivers. */
import type { QueueSettings } from "../exporter.ts";
import { printableLine } from "../messages/printable.ts";
import type { QueueCounters } from "../queue/counters.ts";
import { RETRY_ON_FAILURE, SENDING_QUEUE } from "../queue/defaults.ts";
import { openQueue } from "../queue/open.ts";
import type { ExporterQueue as RecordQueue } from "../queue/queue.ts";
import { queueSettings } from "../queue/settings.ts";
import { BatchView, type SessionBatch } from "./batch.ts";
import { checkExporterOptions } from "./check_options.ts";
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
  checkExporterOptions(options);
  const { id = type.type, warn = warnOnConsole, stop = () => {} } = options;
  const baseDirectory = Deno.cwd();
  const opened = { spans: options.spans }; // an exporter may ask for some at any time
  const exporter = await openForeign(type, settings, {
    id,
    baseDirectory,
    openSpans: async () => SpansView.sourceOf(opened.spans ??= await openSpansView({})),
    env: (name) => Deno.env.get(name) || undefined,
    reloading: false,
    warn: (message) => warn(`${id}: ${message}`),
    stop,
  });
  const closing = new AbortController();
  try {
    await exporter.start?.(closing.signal); // before its queue delivers what is on disk
  } catch (error) {
    await exporter.shutdown();
    throw error;
  }
  const queue = await openQueue({
    id,
    exporter,
    settings: withDefaults(options.queue ?? {}),
    warn: (message) => warn(message),
    inform: (message) => warn(message),
    baseDirectory,
  });
  queue.start();
  return new QueueView(queue, opened, closing);
}

/** A server may have put into its answer what fools a terminal: that is escaped. */
function warnOnConsole(message: string): void {
  console.warn(printableLine(message));
}

/** What is undefined counts as left out; only `retry` is switched off by it. */
function withDefaults(given: Partial<QueueSettings>): QueueSettings {
  const entries = Object.entries(given)
    .filter(([name, value]) => value !== undefined || name === "retry");
  return {
    ...queueSettings(SENDING_QUEUE, RETRY_ON_FAILURE, { batchSize: 4096, linger: 200 }),
    ...Object.fromEntries(entries),
  };
}

class QueueView implements ExporterQueue {
  readonly #queue: RecordQueue;
  readonly #opened: { readonly spans: Spans | undefined };
  readonly #closing: AbortController;

  /**
   * @param opened has the exporter's spans, once it has asked for some
   * @param closing is aborted when it is closed
   */
  constructor(
    queue: RecordQueue,
    opened: { readonly spans: Spans | undefined },
    closing: AbortController,
  ) {
    this.#queue = queue;
    this.#opened = opened;
    this.#closing = closing;
  }

  push(batch: SessionBatch): void {
    const records = BatchView.recordsOf(batch);
    if (this.#closing.signal.aborted) {
      throw new TypeError(`cannot push to the queue of ${this.#queue.id}: it was closed`);
    }
    const { spans } = this.#opened;
    if (spans !== undefined) SpansView.observe(spans, records);
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
