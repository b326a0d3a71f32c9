/** The bounded queue in front of an exporter: batching, retry, and a count of all that is lost. */
import { unlessAborted } from "./abort.ts";
import { SessionBatch } from "./batch.ts";
import { Limiter, NOTICE_INTERVAL_MS } from "./limiter.ts";
import { countSessions } from "./messages.ts";
import type { Exporter, ExportOutcome, QueueSettings, RetrySettings } from "./exporter.ts";

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
  readonly #batches: SessionBatch[] = [];
  readonly #consumers: Promise<void>[];
  readonly #stop = new AbortController(); // cuts short the waits, not the exports
  readonly #abort = new AbortController(); // cuts short the exports
  #waiting = 0; // sessions in #batches
  #idle: (() => void)[] = [];
  readonly #lingering = new Set<() => void>();
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
    this.#consumers = Array.from({ length: settings.consumers }, () => this.#consume());
  }

  /** Takes as many sessions as fit, the first ones. */
  push(batch: SessionBatch): void {
    const room = this.settings.queueSize - this.#waiting;
    const taken = batch.length > room ? batch.slice(0, room) : batch;
    if (taken.length < batch.length) this.#drop(batch.length - taken.length);
    if (taken.length === 0) return;
    this.#batches.push(taken);
    this.#waiting += taken.length;
    this.counters.accepted += taken.length;
    this.#idle.shift()?.();
    if (this.#waiting >= this.#enough) { for (const wake of this.#lingering) wake(); }
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
    for (const wake of [...this.#idle.splice(0), ...this.#lingering]) wake();
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
    const { batchSize } = this.settings;
    for (;;) {
      if (this.#waiting === 0) {
        if (this.#stop.signal.aborted) return;
        await new Promise<void>((resolve) => this.#idle.push(resolve));
        continue;
      }
      if (this.#waiting < this.#enough) await this.#linger();
      const batch = this.#take(batchSize);
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
        this.#lingering.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, this.settings.linger);
      this.#lingering.add(wake);
    });
  }

  /** Up to `most` sessions from the head of the queue. */
  #take(most: number): SessionBatch {
    const parts: SessionBatch[] = [];
    let count = 0;
    while (count < most) {
      const head = this.#batches.shift();
      if (head === undefined) break;
      const part = head.slice(0, most - count);
      if (part.length < head.length) this.#batches.unshift(head.slice(part.length, head.length));
      parts.push(part);
      count += part.length;
    }
    this.#waiting -= count;
    return SessionBatch.concat(parts);
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
