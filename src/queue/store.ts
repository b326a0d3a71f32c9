/** Where the sessions of a queue wait: in memory, on disk, or in both. */
import type { QueueSettings } from "../exporter.ts";
import { countSessions, showBytes } from "../messages/words.ts";
import { SessionBatch } from "../session/batch.ts";
import { BatchMemory } from "./batch_memory.ts";
import type { QueueCounters } from "./counters.ts";
import type { QueueNotices } from "./notices.ts";
import { RecordStore } from "./record_store.ts";
import type { Spool, Taken } from "./spool/spool.ts";

const MOST_FREE = 4; // batches for which memory is kept, beside the one that fills up
const NONE = new SessionBatch(new Uint8Array());

/** Memory for the batches of a queue. */
export function batchMemory({ batchSize, consumers }: QueueSettings): BatchMemory {
  return new BatchMemory(batchSize, 1 + Math.min(consumers, MOST_FREE));
}

/** A batch that was taken out; it is given back by either `done` or `leave`. */
export interface TakenBatch {
  readonly batch: SessionBatch;
  /** Its place on disk, if it has one. */
  readonly onDisk: Taken | undefined;
}

/** What a {@linkcode SessionStore} works with. */
export interface SessionStoreOptions {
  readonly settings: QueueSettings;
  /** Its place on disk, if it has one. */
  readonly spool: Spool | undefined;
  /** The spool uses the same. */
  readonly memory: BatchMemory;
  /** `dropped` is added to. */
  readonly counters: QueueCounters;
  readonly notices: QueueNotices;
}

/** First in, first out, in memory and on disk each; sessions are copied in. */
export class SessionStore {
  readonly #spool: Spool | undefined;
  readonly #counters: QueueCounters;
  readonly #notices: QueueNotices;
  #settings: QueueSettings;
  #memory: BatchMemory;
  #records: RecordStore;
  #spoolNext = false; // whose turn it is if sessions wait in memory and on disk

  constructor({ settings, spool, memory, counters, notices }: SessionStoreOptions) {
    this.#settings = settings;
    this.#spool = spool;
    this.#memory = memory;
    this.#records = new RecordStore(memory);
    this.#counters = counters;
    this.#notices = notices;
  }

  /** Sessions that wait, in memory and on disk. */
  get length(): number {
    return this.#records.length + (this.#spool?.length ?? 0);
  }

  /** Size of the part on disk. */
  get diskBytes(): number {
    return this.#spool?.bytes ?? 0;
  }

  /** Whether what is left at the end stays for the next run. */
  get isOnDisk(): boolean {
    return this.#spool !== undefined;
  }

  /** Where sessions wait, in words. */
  get place(): string {
    const { queueSize, storage } = this.#settings;
    const inMemory = `up to ${countSessions(queueSize)} ${queueSize === 1 ? "is" : "are"} kept`;
    if (storage === undefined || this.#spool === undefined) return inMemory;
    const onDisk = `up to ${showBytes(storage.maxBytes)} in ${this.#spool.path}`;
    return storage.persistent
      ? `sessions are kept, ${onDisk}`
      : `${inMemory} in memory, then ${onDisk}`;
  }

  /** Batches of another size, and more or less room in memory, from now on. */
  useSettings(settings: QueueSettings): void {
    const isSameBatch = settings.batchSize === this.#settings.batchSize;
    this.#settings = settings;
    if (isSameBatch) return;
    const before = this.#records;
    this.#memory = batchMemory(settings);
    this.#records = new RecordStore(this.#memory);
    this.#spool?.useMemory(this.#memory);
    for (let batch = before.take(); batch.length > 0; batch = before.take()) {
      this.#records.push(batch);
    }
  }

  /** Copies as many sessions as fit; drops, and counts, what `whenFull` says. */
  push(batch: SessionBatch): void {
    if (batch.length === 0) return;
    const { dropped } = this.#counters;
    const rest = this.#settings.storage?.persistent
      ? this.#pushToDiskFirst(batch)
      : this.#pushToMemoryFirst(batch);
    if (rest.length > 0) this.#overflow(rest);
    if (this.#counters.dropped > dropped) this.#notices.dropped(this.#counters.dropped);
  }

  /** Takes what came first: from memory and disk in turn, so that neither waits for the other. */
  take(): TakenBatch | undefined {
    const isFromSpool = this.#records.length === 0 ||
      this.#spoolNext && this.#spool !== undefined && this.#spool.length > 0;
    this.#spoolNext = !isFromSpool;
    if (!isFromSpool) return { batch: this.#records.take(), onDisk: undefined };
    const onDisk = this.#spool?.take();
    return onDisk && { batch: onDisk.batch, onDisk };
  }

  /** Gives up the batch's place, and its memory. */
  done({ batch, onDisk }: TakenBatch): void {
    if (onDisk === undefined) this.#memory.give(batch.bytes);
    else this.#spool?.done(onDisk);
  }

  /** Leaves a batch on disk for the next run: nothing is taken any more. */
  leave({ batch, onDisk }: TakenBatch): void {
    if (onDisk === undefined) this.#leaveOnDisk(batch);
    else this.#spool?.leave(onDisk);
  }

  /** Leaves all that waits on disk, if the queue has a place there. */
  async close(): Promise<void> {
    if (this.#spool === undefined) return;
    for (let batch = this.#records.take(); batch.length > 0; batch = this.#records.take()) {
      this.#leaveOnDisk(batch);
    }
    await this.#spool.close();
  }

  /** @returns the sessions for which there is no room */
  #pushToMemoryFirst(batch: SessionBatch): SessionBatch {
    const rest = this.#keep(batch);
    return rest.length === 0 ? rest : this.#append(rest);
  }

  /** @returns the sessions for which there is no room */
  #pushToDiskFirst(batch: SessionBatch): SessionBatch {
    const rest = this.#append(batch);
    if (rest.length === 0) this.#moveToDisk();
    return this.#spool?.isFaulty ? this.#keep(rest) : rest;
  }

  /** Puts into memory the first sessions of `batch`, as many as fit. @returns the others */
  #keep(batch: SessionBatch): SessionBatch {
    const room = Math.max(0, this.#settings.queueSize - this.#records.length);
    if (room >= batch.length) {
      this.#records.push(batch);
      return NONE;
    }
    if (room > 0) this.#records.push(batch.slice(0, room));
    return behind(batch, room);
  }

  /** Writes the first sessions of `batch` to the disk, as many as fit. @returns the others */
  #append(batch: SessionBatch): SessionBatch {
    return behind(batch, this.#spool?.append(batch, this.#settings.whenFull) ?? 0);
  }

  /** Moves what memory had to take while the disk could not be written. */
  #moveToDisk(): void {
    while (this.#records.length > 0 && this.#spool !== undefined && !this.#spool.isFaulty) {
      const batch = this.#records.take();
      const rest = behind(batch, this.#spool.append(batch, "drop_newest"));
      if (rest.length > 0) {
        this.#records.push(rest);
        return;
      }
      this.#memory.give(batch.bytes);
    }
  }

  /** There is no room for `batch`, neither in memory nor on a disk that can be written. */
  #overflow(batch: SessionBatch): void {
    const { queueSize, whenFull } = this.#settings;
    const isMemory = this.#spool === undefined || this.#spool.isFaulty;
    if (whenFull === "drop_newest" || !isMemory) {
      this.#counters.dropped += batch.length;
      return;
    }
    const most = batch.slice(Math.max(0, batch.length - queueSize), batch.length);
    this.#counters.dropped += batch.length - most.length;
    while (this.#records.length > 0 && this.#records.length + most.length > queueSize) {
      const oldest = this.#records.take();
      this.#counters.dropped += oldest.length;
      this.#memory.give(oldest.bytes);
    }
    this.#records.push(most);
  }

  /** At the end, appends what waited in memory: for a disk that failed there is no later try. */
  #leaveOnDisk(batch: SessionBatch): void {
    this.#spool?.endPause();
    let rest = this.#append(batch);
    if (rest.length > 0 && this.#spool?.isFaulty) {
      this.#spool.endPause();
      rest = this.#append(rest);
    }
    if (rest.length === 0) return;
    this.#counters.dropped += rest.length;
    this.#notices.dropped(this.#counters.dropped);
  }
}

/** The sessions of `batch` after the first `count`. */
function behind(batch: SessionBatch, count: number): SessionBatch {
  if (count === 0) return batch;
  return count === batch.length ? NONE : batch.slice(count, batch.length);
}
