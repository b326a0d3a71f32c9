/**
 * Sessions that wait on disk, in a folder of segments.
 *
 *     append ─▶ SpoolWriter ─▶ segment, segment, segment ─▶ SpoolReader ─▶ take
 *               at the end      the last one grows           at the start    │
 *                                                                            ▼
 *               Cursor: all before is done ◀──────────── done ◀────── under way
 *
 * - What was appended is in the system's memory at once, and on the disk (fdatasync) when its segment
 *   is full: it outlives the process.
 * - A segment is written once, from its start to its end. It is removed when all of it was taken and
 *   is done; one with sessions under way is neither removed nor dropped.
 * - The cursor moves when what was taken first is done. What is done out of order is delivered again
 *   after a crash, and never lost.
 * - No method throws because of the disk: it is reported, and the caller keeps what was not taken.
 */
import { type Clock, systemClock } from "../../clock.ts";
import type { WhenFull } from "../../exporter.ts";
import { SessionBatch } from "../../session/batch.ts";
import { RECORD } from "../../session/record_layout.ts";
import type { BatchMemory } from "../batch_memory.ts";
import type { QueueCounters } from "../counters.ts";
import type { SpoolFolder } from "./folder.ts";
import { WINDOW } from "./frame_reader.ts";
import { SpoolNotices } from "./notices.ts";
import { type Part, SpoolReader } from "./reader.ts";
import { restoreSegments } from "./restore.ts";
import type { Place } from "./segment_reader.ts";
import { SegmentList } from "./segments.ts";
import { SpoolWriter } from "./writer.ts";

/** A batch that was taken from a spool; its place there is kept until it is done. */
export interface Taken {
  readonly batch: SessionBatch;
  readonly parts: readonly Part[];
  /** Behind its last session, and behind what followed it and is done. */
  end: Place;
}

/** What a {@linkcode Spool} works with. */
export interface SpoolOptions {
  readonly folder: SpoolFolder;
  /** Bytes that the segments may have together. */
  readonly maxBytes: number;
  /** Where batches that are taken lie. */
  readonly memory: BatchMemory;
  /** The spool adds to `restored`, `dropped` and `corrupt`. */
  readonly counters: QueueCounters;
  /** Takes a message to the user. */
  readonly warn: (message: string) => void;
  readonly clock?: Clock;
}

/** First in, first out. */
export class Spool {
  readonly #folder: SpoolFolder;
  readonly #notices: SpoolNotices;
  readonly #segments: SegmentList;
  readonly #writer: SpoolWriter;
  readonly #reader: SpoolReader;
  readonly #taken: Taken[] = []; // and not done, in their order
  #memory: BatchMemory;

  /** Looks through the folder, which is closed with the spool. */
  constructor({ folder, maxBytes, memory, counters, warn, clock = systemClock }: SpoolOptions) {
    this.#folder = folder;
    this.#memory = memory;
    const window = new Uint8Array(WINDOW);
    const notices = this.#notices = new SpoolNotices(folder.path, warn, clock);
    const delivered = folder.cursor.read();
    const found = restoreSegments(folder, { delivered, window, counters, warn });
    const segments = this.#segments = new SegmentList(found, counters, notices);
    const reader = this.#reader = new SpoolReader({ segments, window, counters, notices });
    this.#writer = new SpoolWriter({ folder, maxBytes, segments, reader, notices, clock });
  }

  /** Where it is. */
  get path(): string {
    return this.#folder.path;
  }

  /** Sessions that wait. */
  get length(): number {
    return this.#segments.length;
  }

  /** Size of all segments. */
  get bytes(): number {
    return this.#segments.bytes;
  }

  /** Whether the disk could not be written when it was tried last. */
  get isFaulty(): boolean {
    return this.#writer.isFaulty;
  }

  /** Makes the next `append` look for its file and try the disk, however recently it did so. */
  endPause(): void {
    this.#writer.endPause();
  }

  /** Hands out batches of another size, from now on. */
  useMemory(memory: BatchMemory): void {
    this.#memory = memory;
  }

  /**
   * Appends the first sessions of `batch`, as many as there is room for; `drop_oldest` makes room, but
   * not of what is under way. None for a while after the disk could not be written.
   * @returns how many
   */
  append(batch: SessionBatch, whenFull: WhenFull): number {
    let done = this.#writer.append(batch);
    while (done < batch.length && whenFull === "drop_oldest" && !this.isFaulty) {
      if (!this.#dropOldest()) break;
      done += this.#writer.append(batch.slice(done, batch.length));
    }
    return done;
  }

  /** Takes the sessions that came first, at most a batch of them; undefined if none wait. */
  take(): Taken | undefined {
    const bytes = this.#memory.take();
    const read = this.#reader.read(bytes, this.#memory.capacity);
    let taken: Taken | undefined;
    if (read === undefined) this.#memory.give(bytes);
    else {
      const { sessions, parts, end } = read;
      const batch = new SessionBatch(bytes.subarray(0, sessions * RECORD.size));
      this.#taken.push(taken = { batch, parts, end });
      for (const { segment } of parts) segment.underWay++;
    }
    this.#segments.removeDone(); // not before: the batch needs the segments that it is from
    return taken;
  }

  /** Gives up the place of what was taken, and its memory. */
  done(taken: Taken): void {
    this.#memory.give(taken.batch.bytes);
    const { parts, end } = taken;
    const index = this.#taken.indexOf(taken);
    this.#taken.splice(index, 1);
    for (const { segment } of parts) segment.underWay--;
    this.#segments.removeDone();
    const before = this.#taken[index - 1];
    if (before !== undefined) {
      before.end = end; // the cursor stays before it until it is done
      return;
    }
    const { cursor } = this.#folder;
    try {
      cursor.write({ id: end.segment.id, offset: end.offset, sessions: end.sessions });
    } catch (error) {
      cursor[Symbol.dispose]();
      this.#notices.cannotClean(error);
    }
  }

  /** Leaves what was taken for the next run: nothing is taken any more. */
  leave(taken: Taken): void {
    for (const { segment, sessions } of taken.parts) this.#segments.leave(segment, sessions);
  }

  /** Closes all files; removes the segments if all is done. What is left without a file is lost. */
  async close(): Promise<void> {
    this.#reader.end();
    this.#segments.loseGone();
    if (this.length === 0 && this.#taken.length === 0) this.#segments.removeAll();
    else this.#writer.seal();
    this.#segments.close();
    await this.#writer.flushed();
    this.#folder[Symbol.dispose]();
  }

  /**
   * Drops the segment that has waited longest, which gives room at once; not one with sessions under
   * way, nor the one that grows.
   * @returns whether there was one
   */
  #dropOldest(): boolean {
    const { oldest } = this.#segments;
    if (oldest === undefined) return false;
    if (oldest === this.#reader.segment) this.#reader.end();
    this.#segments.drop(oldest);
    return true;
  }
}
