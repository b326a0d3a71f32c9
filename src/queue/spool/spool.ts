/** Sessions that wait on disk, in a folder of segments. */
import { SessionBatch } from "../../session/batch.ts";
import type { WhenFull } from "../../exporter.ts";
import { Limiter } from "../../messages/limiter.ts";
import { RECORD } from "../../session/record_layout.ts";
import { isSystemError } from "../../messages/system_error.ts";
import type { BatchMemory } from "../batch_memory.ts";
import type { QueueCounters } from "../counters.ts";
import { Cursor } from "./cursor.ts";
import { FRAME_HEADER, writeFrameHeader, writeSeal } from "./frame.ts";
import { WINDOW } from "./frame_reader.ts";
import { restoreSegments } from "./restore.ts";
import { Segment } from "./segment.ts";
import { HEADER_SIZE } from "./segment_header.ts";
import { type Place, SegmentReader } from "./segment_reader.ts";
import type { SpoolFolder } from "./folder.ts";
import { SpoolNotices } from "./notices.ts";

const LARGEST_SEGMENT = 16 * 2 ** 20; // bytes
const LEAST_SEGMENT = 4096;
const LEAST_SEGMENTS = 8; // that `maxBytes` are divided into, since room comes back by segments
const MOST_IN_FRAME = 4096; // sessions
const PAUSE_MS = 1000; // after a failure, before the disk is tried again

/** What a batch has of one segment. */
interface Part {
  readonly segment: Segment;
  readonly sessions: number;
}

/** A batch that was taken from a spool, whose place there is kept until it is done. */
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
}

/**
 * First in, first out. What was appended survives the process: it is in the system's memory at once,
 * and on the disk when the segment is full. No method throws because of the disk.
 */
export class Spool {
  readonly #folder: SpoolFolder;
  readonly #maxBytes: number;
  readonly #segmentBytes: number;
  readonly #counters: QueueCounters;
  readonly #notices: SpoolNotices;
  readonly #cursor: Cursor;
  /** In their order: some that were taken and are not done, the one that is read, the others. */
  readonly #segments: Segment[] = [];
  readonly #taken: Taken[] = []; // and not done, in their order
  readonly #removable: Segment[] = []; // done, and not yet removed
  readonly #flushes = new Set<Promise<void>>();
  readonly #window = new Uint8Array(WINDOW);
  readonly #frame = new Uint8Array(FRAME_HEADER + MOST_IN_FRAME * RECORD.size);
  readonly #look = new Limiter(PAUSE_MS);
  #looksNow = false;
  #memory: BatchMemory;
  #reader: SegmentReader | undefined;
  #written: Segment | undefined; // the last one, while it grows
  #writtenSessions = 0; // in it
  #length = 0;
  #bytes = 0;
  #retryAt: number | undefined; // after a failure, when the disk is tried again

  /** Looks through the folder, which is closed with the spool. */
  constructor({ folder, maxBytes, memory, counters, warn }: SpoolOptions) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    const part = Math.floor(maxBytes / LEAST_SEGMENTS);
    this.#segmentBytes = Math.min(LARGEST_SEGMENT, Math.max(LEAST_SEGMENT, part));
    this.#memory = memory;
    this.#counters = counters;
    this.#notices = new SpoolNotices(folder.path, warn);
    this.#cursor = new Cursor(folder.cursor);
    const delivered = this.#cursor.read();
    const found = restoreSegments(folder, { delivered, window: this.#window, counters, warn });
    for (const segment of found) {
      this.#segments.push(segment);
      this.#length += segment.waiting;
      this.#bytes += segment.size;
    }
  }

  /** Where it is. */
  get path(): string {
    return this.#folder.path;
  }

  /** Sessions that wait. */
  get length(): number {
    return this.#length;
  }

  /** Size of all segments. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the disk could not be written when it was tried last. */
  get isFaulty(): boolean {
    return this.#retryAt !== undefined;
  }

  /** Has the next `append` look for its file, and try the disk, whenever it did so last. */
  endPause(): void {
    this.#looksNow = true;
    if (this.#retryAt !== undefined) this.#retryAt = 0;
  }

  /** Has batches of another size, from now on. */
  useMemory(memory: BatchMemory): void {
    this.#memory = memory;
  }

  /**
   * Appends the first sessions of `batch`, as many as there is room for; `drop_oldest` makes room, but
   * not of what is under way. None for a while after the disk could not be written.
   * @returns how many
   */
  append({ bytes, length }: SessionBatch, whenFull: WhenFull): number {
    let done = 0;
    if (this.#retryAt !== undefined && performance.now() < this.#retryAt) return done;
    try {
      this.#lookForFile();
      while (done < length) {
        const room = this.#makeRoom(whenFull);
        const segment = this.#written;
        if (room === 0 || segment === undefined) break;
        const some = Math.min(length - done, room, MOST_IN_FRAME);
        this.#write(segment, bytes.subarray(done * RECORD.size, (done + some) * RECORD.size), some);
        done += some;
      }
      this.#retryAt = undefined;
      this.#notices.recovered();
    } catch (error) {
      this.#fault(error);
    }
    return done;
  }

  /** Takes the sessions that came first, at most a batch of them; undefined if none wait. */
  take(): Taken | undefined {
    const bytes = this.#memory.take();
    const { capacity } = this.#memory;
    const parts: Part[] = [];
    let count = 0;
    let end: Place | undefined;
    for (let reader = this.#reading(); reader !== undefined && count < capacity;) {
      const some = this.#read(reader, bytes.subarray(count * RECORD.size), capacity - count);
      if (some > 0) {
        parts.push({ segment: reader.segment, sessions: some });
        end = reader.place;
        count += some;
      }
      if (count < capacity) reader = this.#readOn(reader.segment);
    }
    let taken: Taken | undefined;
    if (end !== undefined) {
      const batch = new SessionBatch(bytes.subarray(0, count * RECORD.size));
      this.#taken.push(taken = { batch, parts, end });
    } else this.#memory.give(bytes);
    this.#trim(); // not before: the batch needs the segments that it is from
    return taken;
  }

  /** Gives up the place of what was taken, and its memory. */
  done(taken: Taken): void {
    this.#memory.give(taken.batch.bytes);
    const { end } = taken;
    const index = this.#taken.indexOf(taken);
    this.#taken.splice(index, 1);
    this.#trim();
    const before = this.#taken[index - 1];
    if (before !== undefined) {
      before.end = end; // the cursor stays before it until it is done
      return;
    }
    try {
      this.#cursor.write({ id: end.segment.id, offset: end.offset, sessions: end.sessions });
    } catch (error) {
      this.#cursor[Symbol.dispose]();
      this.#notices.cannotClean(error);
    }
  }

  /** Leaves what was taken for the next run: nothing is taken any more. */
  leave(taken: Taken): void {
    this.#length += taken.batch.length;
    for (const { segment, sessions } of taken.parts) segment.left += sessions;
  }

  /** Closes all files; removes the segments if all is done. What is left without a file is lost. */
  async close(): Promise<void> {
    this.#endReading();
    this.#loseGone();
    if (this.#length === 0 && this.#taken.length === 0) {
      this.#removable.push(...this.#segments.splice(0));
      this.#bytes = 0;
      this.#clean();
    } else this.#seal();
    for (const segment of [...this.#segments, ...this.#removable]) segment.close();
    this.#cursor[Symbol.dispose]();
    await Promise.all(this.#flushes);
    this.#folder[Symbol.dispose]();
  }

  /** The reader of the first segment of which something is to be taken. */
  #reading(): SegmentReader | undefined {
    if (this.#reader !== undefined) return this.#reader;
    const segment = this.#segments.find(({ isTaken }) => !isTaken);
    if (segment === undefined) return undefined;
    return this.#reader = new SegmentReader(
      segment,
      this.#window,
      (offset, bytes, sessions) => this.#damaged(segment, offset, bytes, sessions),
    );
  }

  #read(reader: SegmentReader, target: Uint8Array, most: number): number {
    const { segment } = reader;
    let count = 0;
    try {
      count = reader.read(target, most);
    } catch (error) {
      this.#notices.cannotRead(segment.path, error);
      this.#abandon(segment);
    }
    // more than were promised: somebody changed the segment
    const surplus = Math.max(0, count - segment.waiting);
    this.#counters.restored += surplus;
    segment.waiting -= count - surplus;
    this.#length -= count - surplus;
    return count;
  }

  /** The reader behind the end of `segment`; undefined if nothing is there now. */
  #readOn(segment: Segment): SegmentReader | undefined {
    this.#lose(segment, segment.waiting); // what was promised and is not there
    if (segment === this.#written) return undefined;
    segment.isTaken = true;
    segment.close();
    this.#endReading();
    return this.#reading();
  }

  #endReading(): void {
    if (this.#reader !== undefined) this.#notices.ended(this.#reader.segment.path);
    this.#reader = undefined;
  }

  #damaged(segment: Segment, offset: number, bytes: number, sessions: number): void {
    this.#counters.corruptBytes += bytes;
    this.#lose(segment, Math.min(sessions, segment.waiting));
    this.#notices.damaged(segment.path, offset, bytes);
  }

  #lose(segment: Segment, sessions: number): void {
    segment.waiting -= sessions;
    this.#length -= sessions;
    this.#counters.corrupt += sessions;
  }

  /** Counts what no later run will find: it could be read only as long as its file was open. */
  #loseGone(): void {
    for (const segment of this.#segments.filter(({ waiting, left }) => waiting + left > 0)) {
      if (!segment.isGone) continue;
      this.#notices.cannotRead(segment.path, new Deno.errors.NotFound());
      this.#length -= segment.left;
      this.#counters.corrupt += segment.left;
      segment.left = 0;
      this.#lose(segment, segment.waiting);
      this.#abandon(segment);
      segment.close();
    }
  }

  /** Gives up a segment that cannot be read, and leaves its file where it is. */
  #abandon(segment: Segment): void {
    this.#segments.splice(this.#segments.indexOf(segment), 1);
    this.#bytes -= segment.size;
    if (segment === this.#written) this.#written = undefined;
  }

  /** Removes the segments of which all is done, wherever they are. */
  #trim(): void {
    const done = this.#segments.filter((each) => each.isTaken && !this.#isUnderWay(each));
    for (const segment of done) this.#remove(segment);
    this.#clean();
  }

  #isUnderWay(segment: Segment): boolean {
    return this.#taken.some(({ parts }) => parts.some((part) => part.segment === segment));
  }

  #remove(segment: Segment): void {
    this.#segments.splice(this.#segments.indexOf(segment), 1);
    this.#bytes -= segment.size;
    this.#removable.push(segment);
  }

  #clean(): void {
    try {
      for (let [segment] = this.#removable; segment !== undefined; [segment] = this.#removable) {
        segment.remove();
        this.#removable.shift();
      }
    } catch (error) {
      this.#notices.cannotClean(error);
    }
  }

  /** Sessions that the segment that is written has room for; 0 if the spool is full. */
  #makeRoom(whenFull: WhenFull): number {
    for (;;) {
      const size = this.#written?.size ?? HEADER_SIZE;
      const ends = 2 * FRAME_HEADER; // that of the frame, and the seal
      const inSegment = Math.floor((this.#segmentBytes - size - ends) / RECORD.size);
      if (inSegment < 1) {
        this.#seal();
        continue;
      }
      const rest = this.#maxBytes - this.#bytes - (this.#written === undefined ? HEADER_SIZE : 0);
      const room = Math.min(inSegment, Math.floor((rest - ends) / RECORD.size));
      if (room >= 1) {
        this.#written ??= this.#begin();
        return room;
      }
      if (whenFull === "drop_newest" || !this.#dropOldest()) return 0;
    }
  }

  #begin(): Segment {
    let segment: Segment;
    try {
      segment = Segment.create(this.#folder.nextSegment());
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      this.#folder.restore();
      this.#cursor[Symbol.dispose](); // its file went with the folder
      segment = Segment.create(this.#folder.nextSegment());
    }
    this.#segments.push(segment);
    this.#bytes += segment.size;
    this.#writtenSessions = 0;
    return segment;
  }

  #write(segment: Segment, records: Uint8Array, sessions: number): void {
    const frame = this.#frame.subarray(0, FRAME_HEADER + records.length);
    frame.set(records, FRAME_HEADER);
    writeFrameHeader(frame, records.length, segment.layout);
    segment.append(frame);
    segment.waiting += sessions;
    this.#writtenSessions += sessions;
    this.#length += sessions;
    this.#bytes += frame.length;
  }

  /** Ends the segment that is written. Without its seal it would be read through at the next start. */
  #seal(): void {
    const segment = this.#written;
    if (segment === undefined) return;
    this.#written = undefined;
    const seal = this.#frame.subarray(0, FRAME_HEADER);
    writeSeal(seal, this.#writtenSessions);
    try {
      segment.append(seal);
      this.#bytes += seal.length;
    } catch (error) {
      if (!isSystemError(error)) throw error;
    }
    if (segment !== this.#reader?.segment) segment.close();
    if (segment.waiting > 0) this.#flush(segment);
  }

  #flush(segment: Segment): void {
    const flush = segment.flush().catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) this.#fault(error); // delivered meanwhile
    }).finally(() => this.#flushes.delete(flush));
    this.#flushes.add(flush);
  }

  /**
   * Drops what has waited longest, a whole segment, which gives room at once: none of which sessions
   * are under way, nor that which grows.
   * @returns whether there was one
   */
  #dropOldest(): boolean {
    const oldest = this.#segments.find((each) => each !== this.#written && !this.#isUnderWay(each));
    if (oldest === undefined) return false;
    this.#counters.dropped += oldest.waiting;
    this.#length -= oldest.waiting;
    oldest.waiting = 0;
    oldest.isTaken = true;
    if (this.#reader?.segment === oldest) this.#endReading();
    this.#remove(oldest);
    this.#clean();
    return true;
  }

  /** Somebody may have removed the file that is written, which the system hides. */
  #lookForFile(): void {
    const isTime = this.#looksNow || this.#look.allows();
    this.#looksNow = false;
    if (this.#written === undefined || !isTime || !this.#written.isGone) return;
    this.#written = undefined; // what is in it can be read while it is open
    throw new Deno.errors.NotFound("its files were removed");
  }

  #fault(error: unknown): void {
    this.#notices.fault(error);
    if (this.#written?.isTorn) this.#written = undefined;
    this.#retryAt = performance.now() + PAUSE_MS;
  }
}
