/** The bounded queue in front of an exporter: batching, retry, and a count of all that is lost. */
import { unlessAborted } from "../abort.ts";
import type { SessionBatch } from "../batch.ts";
import { Limiter, NOTICE_INTERVAL_MS } from "../limiter.ts";
import { countSessions } from "../messages.ts";
import type { Exporter, ExportOutcome, QueueSettings, RetrySettings } from "../exporter.ts";
import { RecordStore } from "./record_store.ts";

const MOST_FREE = 2; // batches for which memory is kept: one that fills up, one on its way

/** Sessions that went through a queue, by what became of them. */
export interface QueueCounters {
  /** Taken in. */
  accepted: number;
  /** Delivered. */
  exported: number;
  /** Lost because the queue was full. */
  dropped: number;
  /** Lost because the destination refused them, or gave up on. */
  failed: number;
  /** Tries after a first one; these count exports, not sessions. */
  retries: number;
}

/**
 * Hands batches to one exporter, so that a slow or dead one never delays the ring, the others or
 * shutdown. `push` never waits: what does not fit is dropped, and counted.
 */
export class ExporterQueue {
  readonly counters: QueueCounters = {
    accepted: 0,
    exported: 0,
    dropped: 0,
    failed: 0,
    retries: 0,
  };
  readonly #store: RecordStore;
  readonly #consumers: Promise<void>[];
  readonly #stop = new AbortController(); // cuts short the waits, not the exports
  readonly #abort = new AbortController(); // cuts short the exports
  readonly #idle: (() => void)[] = [];
  #endLinger: (() => void) | undefined; // of the consumer that waits for a batch to fill up
  #closing: Promise<void> | undefined;
  #failing = false;
  readonly #dropNotice = new Limiter(NOTICE_INTERVAL_MS);
  readonly #adviceNotice = new Limiter(NOTICE_INTERVAL_MS);
  readonly #lossNotice = new Limiter(NOTICE_INTERVAL_MS);

  /**
   * @param id the exporter's, for messages
   * @param warn takes a message to the user
   */
  constructor(
    readonly id: string,
    readonly exporter: Exporter,
    private readonly settings: QueueSettings,
    private readonly warn: (message: string) => void,
  ) {
    this.#store = new RecordStore(settings.batchSize, MOST_FREE);
    this.#consumers = Array.from({ length: settings.consumers }, () => this.#consume());
  }

  /** Sessions that wait; those of exports under way are not among them. */
  get length(): number {
    return this.#store.length;
  }

  /** Sessions in exports that are under way, or wait for their next try. */
  get inFlight(): number {
    const { accepted, exported, failed } = this.counters;
    return accepted - exported - failed - this.length;
  }

  /** Sessions that it has room for. */
  get capacity(): number {
    return this.settings.queueSize;
  }

  /** Takes as many sessions as fit, the first ones; they are copied. */
  push(batch: SessionBatch): void {
    const taken = Math.min(batch.length, this.settings.queueSize - this.#store.length);
    if (taken < batch.length) this.#drop(batch.length - taken);
    if (taken === 0) return;
    this.#store.push(batch, taken);
    this.counters.accepted += taken;
    if (this.#endLinger === undefined) this.#idle.shift()?.();
    else if (this.#store.length >= this.#enough) this.#endLinger();
  }

  /**
   * Delivers what waits, then shuts the exporter down. What is not delivered after `timeoutMs`
   * milliseconds counts as failed. Nothing must be pushed afterwards; closing again changes nothing.
   */
  close(timeoutMs: number): Promise<void> {
    return this.#closing ??= this.#close(timeoutMs);
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#stop.abort();
    this.#endLinger?.();
    for (const wake of this.#idle.splice(0)) wake();
    const timer = setTimeout(() => this.#abort.abort(new Error("no time was left")), timeoutMs);
    await Promise.all(this.#consumers);
    try {
      await unlessAborted(this.exporter.shutdown(), this.#abort.signal);
    } catch (error) {
      this.warn(`${this.id}: cannot shut down: ${describe(error)}`);
    }
    clearTimeout(timer);
  }

  async #consume(): Promise<void> {
    for (;;) {
      if (this.#store.length === 0 || this.#endLinger !== undefined) {
        if (this.#stop.signal.aborted) return;
        await new Promise<void>((resolve) => this.#idle.push(resolve));
        continue;
      }
      if (this.#store.length < this.#enough) await this.#linger();
      const batch = this.#store.take();
      if (this.#store.length > 0) this.#idle.shift()?.();
      if (batch.length > 0) await this.#deliver(batch);
    }
  }

  /** Sessions for which no others are waited for: a batch, or half of what the queue holds. */
  get #enough(): number {
    const { batchSize, queueSize, linger } = this.settings;
    return linger === 0 || this.#stop.signal.aborted ? 0 : Math.min(batchSize, queueSize / 2);
  }

  /** Waits for more sessions: until there are enough, until the time is over, or until the end. */
  #linger(): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#endLinger = undefined;
        resolve();
      };
      const timer = setTimeout(wake, this.settings.linger);
      this.#endLinger = wake;
    });
  }

  async #deliver(batch: SessionBatch): Promise<void> {
    const backoff = new Backoff(this.settings.retry);
    for (;;) {
      const outcome = await this.#export(batch);
      switch (outcome.status) {
        case "success": {
          const rejected = Math.min(outcome.rejected ?? 0, batch.length);
          this.counters.exported += batch.length - rejected;
          this.#recovered();
          this.#store.recycle(batch);
          if (rejected > 0) {
            this.#lose(rejected, `rejected: ${outcome.message ?? "no reason given"}`);
          } else if (outcome.message !== undefined) {
            this.#pass(outcome.message);
          }
          return;
        }
        case "failure":
          this.#lose(batch.length, outcome.reason);
          return;
        case "retryable": {
          const wait = backoff.next(outcome.retryAfterMs);
          // a dead destination does not hold up the end; one that names a time has that time
          const stopping = this.#stop.signal.aborted;
          if (wait === undefined || stopping && outcome.retryAfterMs === undefined) {
            this.#lose(batch.length, outcome.reason);
            return;
          }
          this.#retrying(outcome.reason);
          await delay(wait, stopping ? this.#abort.signal : this.#stop.signal);
          this.counters.retries++;
        }
      }
    }
  }

  async #export(batch: SessionBatch): Promise<ExportOutcome> {
    const { signal } = this.#abort;
    try {
      signal.throwIfAborted();
      return await unlessAborted(this.exporter.export(batch, signal), signal);
    } catch (error) {
      return { status: "failure", reason: describe(error) };
    }
  }

  #retrying(reason: string): void {
    if (this.#failing) return;
    this.#failing = true;
    this.warn(
      `${this.id}: ${reason}; trying again, up to ${this.settings.queueSize} sessions are kept`,
    );
  }

  #recovered(): void {
    if (!this.#failing) return;
    this.#failing = false;
    this.warn(`${this.id}: delivering again`);
  }

  /** Passes on what a destination says that took everything. */
  #pass(message: string): void {
    if (this.#adviceNotice.allows()) this.warn(`${this.id}: the server says: ${message}`);
  }

  #lose(sessions: number, reason: string): void {
    const { counters } = this;
    counters.failed += sessions;
    if (this.#lossNotice.allows()) {
      this.warn(`${this.id}: lost ${countSessions(counters.failed)} until now: ${reason}`);
    }
  }

  #drop(sessions: number): void {
    const { counters } = this;
    counters.dropped += sessions;
    if (this.#dropNotice.allows()) {
      this.warn(`${this.id}: lost ${countSessions(counters.dropped)} until now: its queue is full`);
    }
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Waits between the tries of one export. */
class Backoff {
  readonly #began = performance.now();
  #interval: number;

  constructor(private readonly settings: RetrySettings | undefined) {
    this.#interval = settings?.initialInterval ?? 0;
  }

  /** Milliseconds to wait; undefined to give up. `atLeast` is what the server asked for. */
  next(atLeast = 0): number | undefined {
    if (this.settings === undefined) return undefined;
    const { maxInterval, maxElapsedTime } = this.settings;
    const jittered = Math.min(this.#interval * (0.5 + Math.random()), maxInterval);
    this.#interval = Math.min(this.#interval * 1.5, maxInterval);
    const wait = Math.max(jittered, atLeast);
    const elapsed = performance.now() - this.#began;
    return maxElapsedTime > 0 && elapsed + wait > maxElapsedTime ? undefined : wait;
  }
}

/** Resolves after `ms` milliseconds, or when `signal` aborts. */
function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
