/** Exporters behind queues, for programs that deliver sessions themselves. */
import type { QueueSettings } from "../exporter.ts";
import type { QueueCounters } from "../queue/counters.ts";
import type { SessionBatch } from "./batch.ts";
import type { Spans } from "./spans.ts";

/** Options of {@linkcode openExporter}. */
export interface OpenExporterOptions {
  /** Names it in messages, and its folder below `queue.storage.folder`. Default: its type. */
  readonly id?: string;
  /** What it makes spans with. Default: {@linkcode openSpans} without options. */
  readonly spans?: Spans;
  /**
   * How the queue works. Default: 100,000 sessions in memory, of which the newest are dropped if it
   * is full; exports of 4096 sessions, one at a time, after 200 ms; tried again after 1 to 30 s,
   * without end.
   */
  readonly queue?: Partial<QueueSettings>;
  /** Takes what the user should know: retries, losses. Default: console.warn. */
  readonly warn?: (message: string) => void;
  /** Called when the exporter asks for the end of the run. */
  readonly stop?: () => void;
}

/**
 * An exporter behind a queue of its own: however slow it is, sessions are taken at once, or dropped and
 * counted.
 */
export interface ExporterQueue extends AsyncDisposable {
  /** Takes the sessions of `batch`, as many as fit. It copies them: the batch may be given up. */
  push(batch: SessionBatch): void;
  /** What became of the sessions until now. */
  readonly counters: Readonly<QueueCounters>;
  /** Sessions that wait, or are under way. */
  readonly length: number;
  /**
   * Delivers what waits, and shuts the exporter down. What is not delivered within `timeoutMs`
   * milliseconds, 5000 by default, stays on disk if there is a `storage`, and is lost if not.
   * Disposing does the same.
   */
  close(timeoutMs?: number): Promise<void>;
}
