/** Delivers a batch: from when it is taken until it is delivered, lost or left for the next run. */
import { delay } from "../abort.ts";
import type { Clock } from "../clock.ts";
import type { QueueSettings } from "../exporter.ts";
import { SessionBatch } from "../session/batch.ts";
import { Backoff } from "./backoff.ts";
import type { QueueCounters } from "./counters.ts";
import type { Destination } from "./destination.ts";
import type { QueueNotices } from "./notices.ts";
import type { Outcomes } from "./outcome.ts";
import { Progress, type Success } from "./progress.ts";
import type { SessionStore, TakenBatch } from "./store.ts";

const ASK_AFTER_MS = 500; // on a busy host sessions come first
const NOTHING = new SessionBatch(new Uint8Array());

/** What a {@linkcode Delivery} works with. */
export interface DeliveryOptions {
  readonly destination: Destination;
  readonly settings: QueueSettings;
  readonly store: SessionStore;
  readonly outcomes: Outcomes;
  /** `retries` is added to. */
  readonly counters: QueueCounters;
  readonly notices: QueueNotices;
  readonly clock: Clock;
}

/** Several batches may be under way at once; each is tried again by itself. */
export class Delivery {
  readonly #store: SessionStore;
  readonly #outcomes: Outcomes;
  readonly #counters: QueueCounters;
  readonly #notices: QueueNotices;
  readonly #clock: Clock;
  readonly #abort = new AbortController(); // cuts short the exports
  #wait = new AbortController(); // cuts short the waits between tries, not the exports
  #destination: Destination;
  #settings: QueueSettings;
  #inFlight = 0;
  #isStopping = false;
  #isLeaving = false;

  constructor(options: DeliveryOptions) {
    this.#destination = options.destination;
    this.#settings = options.settings;
    this.#store = options.store;
    this.#outcomes = options.outcomes;
    this.#counters = options.counters;
    this.#notices = options.notices;
    this.#clock = options.clock;
  }

  /** Where sessions go now. */
  get destination(): Destination {
    return this.#destination;
  }

  /** Sessions in exports that are under way, or wait for their next try. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Whether no more batches must be taken, because what is left stays on disk. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /**
   * Asks the destination whether it would take sessions, so that an idle host reports it too if it
   * would not. Sessions that come before that are the question.
   */
  async ask(): Promise<void> {
    const destination = this.#destination;
    const { signal } = this.#wait; // ends with the destination
    if (destination.exporter.asksIfEmpty !== true) return;
    const { accepted, exported } = this.#counters;
    await delay(ASK_AFTER_MS, signal, this.#clock);
    const now = this.#counters;
    const isInUse = now.accepted > accepted || now.exported > exported || this.#inFlight > 0;
    if (isInUse || signal.aborted) return;
    const outcome = await destination.export(NOTHING, signal);
    if (signal.aborted) return;
    this.#outcomes.asked(outcome, this.#settings.retry && this.#store.place);
  }

  /** Resolves once the batch is delivered, lost or left; its place and memory are given up. */
  async deliver(taken: TakenBatch): Promise<void> {
    const { batch } = taken;
    this.#inFlight += batch.length;
    if (await this.#tryUntilDone(batch)) this.#store.done(taken);
    else {
      this.#isLeaving = true; // and the others with it
      this.#store.leave(taken);
    }
    this.#inFlight -= batch.length;
  }

  /** Each batch has its next try there, under these settings, and at once if it waits for one. */
  replace(destination: Destination, settings: QueueSettings): void {
    this.#destination = destination;
    this.#settings = settings;
    this.#wait.abort();
    this.#wait = new AbortController();
  }

  /**
   * Each batch has its next try at once, and another one only if the destination names a time for it.
   * @param isLeaving whether what waits for a try is left on disk instead
   */
  stop(isLeaving: boolean): void {
    this.#isStopping = true;
    this.#isLeaving = isLeaving;
    this.#wait.abort();
  }

  /** Ends the exports under way, and later ones at once. */
  abort(reason: Error): void {
    this.#abort.abort(reason);
  }

  /** @returns whether `batch` is done; if not, it must be left on disk */
  async #tryUntilDone(batch: SessionBatch): Promise<boolean> {
    let settings = this.#settings;
    let backoff = new Backoff(settings.retry, this.#clock);
    const progress = new Progress(batch);
    for (;; this.#counters.retries++) {
      const destination = this.#destination;
      const outcome = await destination.export(progress.rest, this.#abort.signal);
      if (outcome.status === "success") {
        progress.advance(progress.rest.length, outcome.rejected, outcome.message);
        this.#succeeded(progress.success, batch, destination);
        return true;
      }
      const isFurther = outcome.status === "retryable" && progress.interrupt(outcome);
      if (isFurther && progress.rest.length === 0) {
        this.#succeeded(progress.success, batch, destination);
        return true;
      }
      if (this.#abort.signal.aborted && this.#store.isOnDisk) return false;
      if (outcome.status === "failure") {
        this.#outcomes.count(progress.success, progress.done);
        this.#outcomes.failed(outcome, progress.rest.length);
        return true;
      }
      if (isFurther || settings !== this.#settings) {
        settings = this.#settings;
        backoff = new Backoff(settings.retry, this.#clock);
      }
      if (destination !== this.#destination) continue;
      const wait = backoff.next(outcome.retryAfterMs);
      if (wait !== undefined && this.#isStopping && this.#store.isOnDisk) return false;
      // a dead destination does not hold up the end; one that names a time gets that time
      if (wait === undefined || this.#isStopping && outcome.retryAfterMs === undefined) {
        this.#outcomes.count(progress.success, progress.done);
        this.#outcomes.lost(progress.rest.length, outcome.reason);
        return true;
      }
      this.#outcomes.retrying(outcome.reason, this.#store.place);
      if (wait > (settings.retry?.maxInterval ?? wait)) this.#notices.askedToWait(wait);
      await delay(wait, this.#isStopping ? this.#abort.signal : this.#wait.signal, this.#clock);
      if (this.#isLeaving) return false;
    }
  }

  /** The whole `batch` was taken; `destination` took the last of it. */
  #succeeded(success: Success, { length }: SessionBatch, destination: Destination): void {
    const isCurrent = destination === this.#destination;
    this.#outcomes.succeeded(
      success,
      length,
      isCurrent ? destination.exporter.destination : undefined,
    );
  }
}
