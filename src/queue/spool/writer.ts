/** Writes sessions to the end of a spool: to the segment that grows, and then to the next. */
import type { Clock } from "../../clock.ts";
import { Limiter } from "../../messages/limiter.ts";
import { isSystemError } from "../../messages/system_error.ts";
import type { SessionBatch } from "../../session/batch.ts";
import { RECORD } from "../../session/record_layout.ts";
import type { SpoolFolder } from "./folder.ts";
import { FRAME_HEADER, writeFrameHeader, writeSeal } from "./frame.ts";
import type { SpoolNotices } from "./notices.ts";
import type { SpoolReader } from "./reader.ts";
import { Segment } from "./segment.ts";
import { HEADER_SIZE } from "./segment_header.ts";
import type { SegmentList } from "./segments.ts";

const LARGEST_SEGMENT = 16 * 2 ** 20; // bytes
const LEAST_SEGMENT = 4096;
const LEAST_SEGMENTS = 8; // that `maxBytes` are divided into, because room comes back by segments
const MOST_IN_FRAME = 4096; // sessions
const ENDS = 2 * FRAME_HEADER; // a frame's header, and the seal
const PAUSE_MS = 1000; // after a failure, before the disk is tried again

/** What a {@linkcode SpoolWriter} works with. */
export interface SpoolWriterOptions {
  readonly folder: SpoolFolder;
  /** Bytes that the segments may have together. */
  readonly maxBytes: number;
  readonly segments: SegmentList;
  /** May read the segment that is written. */
  readonly reader: SpoolReader;
  readonly notices: SpoolNotices;
  readonly clock: Clock;
}

/** Does not throw because of the disk: that is reported, and the disk tried again after a pause. */
export class SpoolWriter {
  readonly #folder: SpoolFolder;
  readonly #maxBytes: number;
  readonly #segmentBytes: number;
  readonly #segments: SegmentList;
  readonly #reader: SpoolReader;
  readonly #notices: SpoolNotices;
  readonly #clock: Clock;
  readonly #look: Limiter;
  readonly #flushes = new Set<Promise<void>>();
  readonly #frame = new Uint8Array(FRAME_HEADER + MOST_IN_FRAME * RECORD.size);
  #sessions = 0; // in the segment that grows
  #looksNow = false;
  #retryAt: number | undefined; // after a failure, when the disk is tried again

  constructor({ folder, maxBytes, segments, reader, notices, clock }: SpoolWriterOptions) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    const part = Math.floor(maxBytes / LEAST_SEGMENTS);
    this.#segmentBytes = Math.min(LARGEST_SEGMENT, Math.max(LEAST_SEGMENT, part));
    this.#segments = segments;
    this.#reader = reader;
    this.#notices = notices;
    this.#clock = clock;
    this.#look = new Limiter(PAUSE_MS, clock);
  }

  /** Whether the disk could not be written when it was tried last. */
  get isFaulty(): boolean {
    return this.#retryAt !== undefined;
  }

  /** Makes the next `append` look for its file and try the disk, however recently it did so. */
  endPause(): void {
    this.#looksNow = true;
    if (this.#retryAt !== undefined) this.#retryAt = -Infinity;
  }

  /**
   * Appends the first sessions of `batch`, as many as there is room for; none for a while after the
   * disk could not be written.
   * @returns how many
   */
  append({ bytes, length }: SessionBatch): number {
    let done = 0;
    if (this.#retryAt !== undefined && this.#clock.now() < this.#retryAt) return done;
    try {
      this.#lookForFile();
      while (done < length) {
        const room = this.#makeRoom();
        const segment = this.#segments.written;
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

  /** Ends the segment that grows. Without its seal it would be read through at the next start. */
  seal(): void {
    const segment = this.#segments.written;
    if (segment === undefined) return;
    this.#segments.written = undefined;
    const seal = this.#frame.subarray(0, FRAME_HEADER);
    writeSeal(seal, this.#sessions);
    try {
      this.#segments.append(segment, seal, 0);
    } catch (error) {
      if (!isSystemError(error)) throw error;
    }
    if (segment !== this.#reader.segment) segment.close();
    if (segment.waiting > 0) this.#flush(segment);
  }

  /** Resolves once what was sealed is on the disk, or could not get there. */
  async flushed(): Promise<void> {
    await Promise.all(this.#flushes);
  }

  /** Sessions for which the segment that grows has room, or a new one; 0 if the spool is full. */
  #makeRoom(): number {
    const segments = this.#segments;
    if (segments.written !== undefined && this.#inSegment(segments.written.size) < 1) this.seal();
    const header = segments.written === undefined ? HEADER_SIZE : 0;
    const room = Math.min(
      this.#inSegment(segments.written?.size ?? HEADER_SIZE),
      fitting(this.#maxBytes - segments.bytes - header),
    );
    if (room < 1) return 0;
    if (segments.written === undefined) this.#begin();
    return room;
  }

  /** Sessions that fit into a segment of `size` bytes. */
  #inSegment(size: number): number {
    return fitting(this.#segmentBytes - size);
  }

  #begin(): void {
    let segment: Segment;
    try {
      segment = Segment.create(this.#folder.nextSegment());
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      this.#folder.restore();
      segment = Segment.create(this.#folder.nextSegment());
    }
    this.#segments.add(segment);
    this.#sessions = 0;
  }

  #write(segment: Segment, records: Uint8Array, sessions: number): void {
    const frame = this.#frame.subarray(0, FRAME_HEADER + records.length);
    frame.set(records, FRAME_HEADER);
    writeFrameHeader(frame, records.length, segment.layout);
    this.#segments.append(segment, frame, sessions);
    this.#sessions += sessions;
  }

  #flush(segment: Segment): void {
    const flush = segment.flush().catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) this.#fault(error); // delivered meanwhile
    }).finally(() => this.#flushes.delete(flush));
    this.#flushes.add(flush);
  }

  /** Somebody may have removed the file that is written, which the system does not report. */
  #lookForFile(): void {
    const isTime = this.#looksNow || this.#look.allows();
    this.#looksNow = false;
    const segment = this.#segments.written;
    if (segment === undefined || !isTime || !segment.isGone) return;
    this.#segments.written = undefined; // what is in it can be read while it is open
    throw new Deno.errors.NotFound("its files were removed");
  }

  #fault(error: unknown): void {
    this.#notices.fault(error);
    this.#retryAt = this.#clock.now() + PAUSE_MS;
  }
}

/** How many sessions of one frame fit into so many bytes. */
function fitting(bytes: number): number {
  return Math.floor((bytes - ENDS) / RECORD.size);
}
