/** The bounded queue in front of an exporter: batching, retry, and a count of all that is lost. */
import { delay, unlessAborted } from "../abort.ts";
import type { SessionBatch } from "../session/batch.ts";
import type { Warn } from "../messages/log.ts";
import { countSessions, showBytes } from "../messages/words.ts";
import type { Exporter, ExportOutcome, QueueSettings, WhenFull } from "../exporter.ts";
import { Backoff } from "./backoff.ts";
import { BatchMemory } from "./batch_memory.ts";
import { newCounters, type QueueCounters } from "./counters.ts";
import { QueueNotices } from "./notices.ts";
import { RecordStore } from "./record_store.ts";
import type { Spool, Taken } from "./spool/spool.ts";

const MOST_FREE = 4; // batches for which memory is kept, beside the one that fills up
const LAST_ANSWER_MS = 1000; // for exports under way to a dead destination, where the rest is kept
const LATE = new Error("no time was left");

/** A batch that a consumer has taken. */
interface Work {
  readonly batch: SessionBatch;
  /** Its place on disk, if it has one. */
  readonly taken: Taken | undefined;
}

/** A queue's place on disk, opened. */
export interface OpenStorage {
  readonly spool: Spool;
  readonly memory: BatchMemory;
  readonly counters: QueueCounters;
}

/**
 * Hands batches to one exporter, so that a slow or dead one never delays the ring, the others or
 * shutdown. `push` never waits: what does not fit is dropped, and counted. A queue with storage is
 * opened by `openQueue`.
 */
export class ExporterQueue {
  readonly counters: QueueCounters;
  readonly #notices: QueueNotices;
  readonly #spool: Spool | undefined;
  readonly #abort = new AbortController(); // cuts short the exports
  readonly #deadline = new AbortController(); // cuts short all
  readonly #consumers = new Map<number, Promise<void>>(); // those that run
  readonly #retired = new Set<Promise<void>>(); // exporters that were replaced
  readonly #idle: (() => void)[] = [];
  #exporter: Exporter;
  #settings: QueueSettings;
  #memory: BatchMemory;
  #store: RecordStore;
  #wait = new AbortController(); // cuts short the waits, not the exports
  #exports = new Map<Exporter, Set<Promise<unknown>>>(); // under way
  #inFlight = 0;
  #unfinished: string[] = []; // why, of those in flight that an export which failed took in part
  #endLinger: (() => void) | undefined; // of the consumer that waits for a batch to fill up
  #spoolNext = false; // whose turn it is where sessions wait in memory and on disk
  #stopping = false;
  #leaving = false; // the rest stays on disk
  #closing: Promise<void> | undefined;
  #failing = false;

  /**
   * @param id the exporter's, for messages
   * @param warn takes a message to the user
   */
  constructor(
    readonly id: string,
    exporter: Exporter,
    settings: QueueSettings,
    warn: Warn,
    storage?: OpenStorage,
  ) {
    this.counters = storage?.counters ?? newCounters();
    this.#exporter = exporter;
    this.#settings = settings;
    this.#notices = new QueueNotices(id, warn);
    this.#spool = storage?.spool;
    this.#memory = storage?.memory ?? batchMemory(settings);
    this.#store = new RecordStore(this.#memory);
    this.#startConsumers();
  }

  /** Where sessions go now. */
  get exporter(): Exporter {
    return this.#exporter;
  }

  /** Sessions that wait, in memory and on disk. After `close`, those that are kept. */
  get length(): number {
    return this.#store.length + (this.#spool?.length ?? 0);
  }

  /** Sessions that it has room for in memory. */
  get capacity(): number {
    return this.#settings.queueSize;
  }

  /** Sessions in exports that are under way, or wait for their next try. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Size of the queue's part on disk. */
  get diskBytes(): number {
    return this.#spool?.bytes ?? 0;
  }

  /** Most bytes of it; 0 where the queue has no place on disk. */
  get diskLimit(): number {
    return this.#settings.storage?.maxBytes ?? 0;
  }

  /** Takes as many sessions as fit; they are copied. */
  push(batch: SessionBatch): void {
    const { counters } = this;
    const { whenFull, storage } = this.#settings;
    const dropped = counters.dropped;
    counters.accepted += batch.length;
    let rest = storage?.persistent ? batch : this.#keep(batch);
    if (this.#spool !== undefined && rest.length > 0) {
      rest = behind(rest, this.#spool.append(rest, whenFull));
      if (storage?.persistent && rest.length === 0) this.#moveToDisk();
      if (storage?.persistent && this.#spool.isFaulty) rest = this.#keep(rest);
    }
    if (rest.length > 0) this.#overflow(rest, whenFull);
    if (counters.dropped > dropped) this.#notices.dropped(counters.dropped);
    if (this.#endLinger === undefined) this.#idle.shift()?.();
    else if (this.length >= this.#enough) this.#endLinger();
  }

  /**
   * Whether the queue can go on with other settings; where it cannot, as its place on disk would be
   * another, it has to be closed and another one opened.
   */
  canTake({ storage }: QueueSettings): boolean {
    const own = this.#settings.storage;
    return storage?.folder === own?.folder && storage?.persistent === own?.persistent &&
      storage?.maxBytes === own?.maxBytes;
  }

  /**
   * Delivers to another exporter, started already, or to the same one, under other settings, from the
   * next try of each batch on, which is due at once; what waits is kept. Resolves when the one before
   * has ended what it had under way and is shut down. Not to be called after `close`.
   * @throws {RangeError} unless `canTake(settings)`
   */
  async replace(exporter: Exporter, settings: QueueSettings): Promise<void> {
    if (!this.canTake(settings)) {
      throw new RangeError(`cannot change the settings of ${this.id}: its place on disk differs`);
    }
    const before = this.#exporter;
    this.#exporter = exporter;
    this.#useSettings(settings);
    this.#failing = false;
    this.#endWaits();
    this.#startConsumers();
    if (exporter === before) return; // its settings alone are new
    const retired = this.#retire(before);
    this.#retired.add(retired);
    await retired;
    this.#retired.delete(retired);
  }

  /**
   * Delivers what waits, then shuts the exporter down. What is not delivered after `timeoutMs`
   * milliseconds stays on disk; without a place there it counts as failed. Nothing must be pushed
   * afterwards; closing again with 0 ends what is under way at once.
   */
  close(timeoutMs: number): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    if (timeoutMs === 0) {
      this.#abort.abort(LATE);
      this.#deadline.abort(LATE);
    }
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#stopping = true;
    const isDead = this.#failing && this.#spool !== undefined;
    if (isDead) this.#leaving = true;
    this.#endWaits();
    const exportsMs = isDead ? Math.min(timeoutMs, LAST_ANSWER_MS) : timeoutMs;
    const timers = [
      setTimeout(() => this.#abort.abort(LATE), exportsMs),
      setTimeout(() => this.#deadline.abort(LATE), timeoutMs),
    ];
    await Promise.all(this.#consumers.values());
    await this.#closeStorage();
    await Promise.all([this.#shutDown(this.#exporter), ...this.#retired]);
    this.#loseUnfinished();
    timers.forEach(clearTimeout);
  }

  async #closeStorage(): Promise<void> {
    if (this.#spool === undefined) return;
    for (let batch = this.#store.take(); batch.length > 0; batch = this.#store.take()) {
      this.#toDisk(batch);
    }
    await this.#spool.close();
  }

  async #shutDown(exporter: Exporter): Promise<void> {
    try {
      await unlessAborted(exporter.shutdown(), this.#deadline.signal);
    } catch (error) {
      this.#notices.cannotShutDown(error);
    }
  }

  async #retire(exporter: Exporter): Promise<void> {
    await Promise.allSettled(this.#exports.get(exporter) ?? []);
    this.#exports.delete(exporter);
    await this.#shutDown(exporter);
  }

  #useSettings(settings: QueueSettings): void {
    const isSameBatch = settings.batchSize === this.#settings.batchSize;
    this.#settings = settings;
    if (isSameBatch) return;
    const before = this.#store;
    this.#memory = batchMemory(settings);
    this.#store = new RecordStore(this.#memory);
    this.#spool?.useMemory(this.#memory);
    for (let batch = before.take(); batch.length > 0; batch = before.take()) {
      this.#store.push(batch);
    }
  }

  #endWaits(): void {
    this.#wait.abort();
    if (!this.#stopping) this.#wait = new AbortController();
    this.#endLinger?.();
    for (const wake of this.#idle.splice(0)) wake();
  }

  #startConsumers(): void {
    for (let i = 0; i < this.#settings.consumers; i++) {
      if (this.#consumers.has(i)) continue;
      this.#consumers.set(i, this.#consume(i));
    }
  }

  async #consume(index: number): Promise<void> {
    while (!this.#leaving && index < this.#settings.consumers) {
      if (this.length === 0 || this.#endLinger !== undefined) {
        if (this.#stopping) break;
        await new Promise<void>((resolve) => this.#idle.push(resolve));
        continue;
      }
      if (this.length < this.#enough) await this.#linger();
      const work = this.#take();
      if (this.length > 0) this.#idle.shift()?.();
      if (work === undefined) continue;
      this.#inFlight += work.batch.length;
      await this.#deliver(work);
      this.#inFlight -= work.batch.length;
      // a disk full of sessions must not keep the ring waiting, whose reader has its turn here
      if (work.taken !== undefined) await delay(0, this.#abort.signal);
    }
    this.#idle.shift()?.(); // its call may have been meant for another
    this.#consumers.delete(index);
  }

  /** Sessions for which no others are waited for: a batch, or half of what memory holds. */
  get #enough(): number {
    const { batchSize, queueSize, linger } = this.#settings;
    return linger === 0 || this.#stopping ? 0 : Math.min(batchSize, queueSize / 2);
  }

  /** Waits for more sessions: until there are enough, until the time is over, or until the end. */
  #linger(): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#endLinger = undefined;
        resolve();
      };
      const timer = setTimeout(wake, this.#settings.linger);
      this.#endLinger = wake;
    });
  }

  /** Takes what came first: in memory and on disk by turns, so that neither waits for the other. */
  #take(): Work | undefined {
    const fromSpool = this.#store.length === 0 ||
      this.#spoolNext && this.#spool !== undefined && this.#spool.length > 0;
    this.#spoolNext = !fromSpool;
    if (fromSpool) {
      const taken = this.#spool?.take();
      return taken && { batch: taken.batch, taken };
    }
    return { batch: this.#store.take(), taken: undefined };
  }

  async #deliver(work: Work): Promise<void> {
    const { batch } = work;
    let settings = this.#settings;
    let backoff = new Backoff(settings.retry);
    for (;;) {
      const exporter = this.#exporter;
      const outcome = await this.#export(exporter, batch);
      if (outcome.status === "success") {
        this.#delivered(outcome, batch.length);
        return this.#release(work);
      }
      if (this.#abort.signal.aborted && this.#spool !== undefined) return this.#leave(work);
      if (outcome.status === "failure") {
        this.#failed(outcome, batch.length);
        return this.#release(work);
      }
      if (settings !== this.#settings) {
        settings = this.#settings;
        backoff = new Backoff(settings.retry);
      }
      if (exporter !== this.#exporter) {
        this.counters.retries++;
        continue;
      }
      const wait = backoff.next(outcome.retryAfterMs);
      if (wait !== undefined && this.#stopping && this.#spool !== undefined) {
        return this.#leave(work);
      }
      // a dead destination does not hold up the end; one that names a time has that time
      if (wait === undefined || this.#stopping && outcome.retryAfterMs === undefined) {
        this.#lose(batch.length, outcome.reason);
        return this.#release(work);
      }
      this.#retrying(outcome.reason);
      if (wait > (settings.retry?.maxInterval ?? wait)) this.#notices.askedToWait(wait);
      await delay(wait, this.#stopping ? this.#abort.signal : this.#wait.signal);
      if (this.#leaving) return this.#leave(work);
      this.counters.retries++;
    }
  }

  async #export(exporter: Exporter, batch: SessionBatch): Promise<ExportOutcome> {
    const { signal } = this.#abort;
    const underWay = this.#exports.get(exporter) ?? new Set();
    this.#exports.set(exporter, underWay);
    const { promise, resolve } = Promise.withResolvers<void>();
    underWay.add(promise);
    try {
      signal.throwIfAborted();
      return await unlessAborted(exporter.export(batch, signal), signal);
    } catch (error) {
      return { status: "failure", reason: describe(error) };
    } finally {
      resolve();
      underWay.delete(promise);
    }
  }

  /** Gives up the batch's place and memory. */
  #release({ batch, taken }: Work): void {
    if (taken === undefined) this.#memory.give(batch.bytes);
    else this.#spool?.done(taken);
  }

  /** Leaves a batch for the next run, and the others with it. */
  #leave({ batch, taken }: Work): void {
    this.#leaving = true;
    if (taken === undefined) this.#toDisk(batch);
    else this.#spool?.leave(taken);
  }

  /** Appends what waited in memory, at the end: no later try is left for a disk that failed. */
  #toDisk(batch: SessionBatch): void {
    const { counters } = this;
    const { whenFull } = this.#settings;
    this.#spool?.endPause();
    let rest = behind(batch, this.#spool?.append(batch, whenFull) ?? 0);
    if (rest.length > 0 && this.#spool?.isFaulty) {
      this.#spool.endPause();
      rest = behind(rest, this.#spool.append(rest, whenFull));
    }
    if (rest.length === 0) return;
    counters.dropped += rest.length;
    this.#notices.dropped(counters.dropped);
  }

  /** Puts into memory the first sessions of `batch`, as many as fit. @returns the others */
  #keep(batch: SessionBatch): SessionBatch {
    const room = Math.max(0, this.#settings.queueSize - this.#store.length);
    if (room >= batch.length) {
      this.#store.push(batch);
      return behind(batch, batch.length);
    }
    if (room > 0) this.#store.push(batch.slice(0, room));
    return behind(batch, room);
  }

  /** Moves what memory had to take while the disk could not be written. */
  #moveToDisk(): void {
    while (this.#store.length > 0 && this.#spool !== undefined && !this.#spool.isFaulty) {
      const batch = this.#store.take();
      const rest = behind(batch, this.#spool.append(batch, "drop_newest"));
      if (rest.length > 0) {
        this.#store.push(rest);
        return;
      }
      this.#memory.give(batch.bytes);
    }
  }

  /** There is no room for `batch`: neither in memory, nor on disk where it can be written. */
  #overflow(batch: SessionBatch, whenFull: WhenFull): void {
    const { counters } = this;
    const isMemory = this.#spool === undefined || this.#spool.isFaulty;
    if (whenFull === "drop_newest" || !isMemory) {
      counters.dropped += batch.length;
      return;
    }
    const { queueSize } = this.#settings;
    const most = batch.slice(Math.max(0, batch.length - queueSize), batch.length);
    counters.dropped += batch.length - most.length;
    while (this.#store.length > 0 && this.#store.length + most.length > queueSize) {
      const oldest = this.#store.take();
      counters.dropped += oldest.length;
      this.#memory.give(oldest.bytes);
    }
    this.#store.push(most);
  }

  #delivered(
    { rejected = 0, message }: Extract<ExportOutcome, { status: "success" }>,
    sessions: number,
  ): void {
    const lost = Math.min(rejected, sessions);
    this.counters.exported += sessions - lost;
    this.counters.rejected += lost;
    this.#recovered();
    if (lost > 0) this.#lose(lost, `rejected: ${message ?? "no reason given"}`, "rejected");
    else if (message !== undefined) this.#notices.advice(message);
  }

  #failed(
    { reason, delivered = 0, unfinished }: Extract<ExportOutcome, { status: "failure" }>,
    sessions: number,
  ): void {
    const taken = Math.min(delivered, sessions);
    this.counters.exported += taken;
    let lost = sessions - taken;
    if (unfinished !== undefined && lost > 0) {
      lost--;
      this.#follow(unfinished, reason);
    }
    if (lost > 0) this.#lose(lost, reason);
  }

  /** Counts a session as delivered once `unfinished` resolves; until then it is in flight. */
  #follow(unfinished: Promise<void>, reason: string): void {
    this.#unfinished.push(reason);
    this.#inFlight++;
    this.#notices.unfinished(reason);
    unfinished.then(() => {
      if (this.#unfinished.shift() === undefined) return; // too late: counted as lost
      this.#inFlight--;
      this.counters.exported++;
    });
  }

  #loseUnfinished(): void {
    for (const reason of this.#unfinished.splice(0)) {
      this.#inFlight--;
      this.#lose(1, reason);
    }
  }

  #retrying(reason: string): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#notices.retrying(reason, this.#describePlace());
  }

  /** Where sessions wait meanwhile. */
  #describePlace(): string {
    const { queueSize, storage } = this.#settings;
    const inMemory = `up to ${countSessions(queueSize)} are kept`;
    if (storage === undefined || this.#spool === undefined) return inMemory;
    const onDisk = `up to ${showBytes(storage.maxBytes)} in ${this.#spool.path}`;
    return storage.persistent
      ? `sessions are kept, ${onDisk}`
      : `${inMemory} in memory, then ${onDisk}`;
  }

  #recovered(): void {
    if (!this.#failing) return;
    this.#failing = false;
    this.#notices.recovered();
  }

  #lose(
    sessions: number,
    reason: string,
    place: "not_delivered" | "rejected" = "not_delivered",
  ): void {
    const { counters } = this;
    counters.failed += sessions;
    const all = place === "rejected" ? counters.rejected : counters.failed - counters.rejected;
    this.#notices.lost(all, reason, place);
  }
}

/** Memory for the batches of a queue. */
export function batchMemory({ batchSize, consumers }: QueueSettings): BatchMemory {
  return new BatchMemory(batchSize, 1 + Math.min(consumers, MOST_FREE));
}

/** The sessions of `batch` behind the first `count`. */
function behind(batch: SessionBatch, count: number): SessionBatch {
  return count === 0 ? batch : batch.slice(count, batch.length);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
