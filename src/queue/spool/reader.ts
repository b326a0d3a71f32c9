/** Reads the sessions of a spool, from one segment on to the next. */
import { RECORD } from "../../session/record_layout.ts";
import type { QueueCounters } from "../counters.ts";
import type { SpoolNotices } from "./notices.ts";
import type { Segment } from "./segment.ts";
import { type Place, SegmentReader } from "./segment_reader.ts";
import type { SegmentList } from "./segments.ts";

/** What a batch has of one segment. */
export interface Part {
  readonly segment: Segment;
  readonly sessions: number;
}

/** Sessions that were read. */
export interface Read {
  readonly sessions: number;
  readonly parts: readonly Part[];
  /** Behind the last of them. */
  readonly end: Place;
}

/** What a {@linkcode SpoolReader} works with. */
export interface SpoolReaderOptions {
  readonly segments: SegmentList;
  /** Memory of `WINDOW` bytes. */
  readonly window: Uint8Array<ArrayBuffer>;
  /** `corruptBytes` is added to. */
  readonly counters: QueueCounters;
  readonly notices: SpoolNotices;
}

/** First in, first out. What cannot be read is counted as lost, and reported. */
export class SpoolReader {
  readonly #segments: SegmentList;
  readonly #window: Uint8Array<ArrayBuffer>;
  readonly #counters: QueueCounters;
  readonly #notices: SpoolNotices;
  #reader: SegmentReader | undefined;

  constructor({ segments, window, counters, notices }: SpoolReaderOptions) {
    this.#segments = segments;
    this.#window = window;
    this.#counters = counters;
    this.#notices = notices;
  }

  /** The one that is read, which must keep its file open. */
  get segment(): Segment | undefined {
    return this.#reader?.segment;
  }

  /** Writes records to `target`, at most `most`, fewer if no more wait; undefined if none do. */
  read(target: Uint8Array, most: number): Read | undefined {
    const parts: Part[] = [];
    let sessions = 0;
    let end: Place | undefined;
    for (let reader = this.#reading(); reader !== undefined && sessions < most;) {
      const { segment } = reader;
      const some = this.#read(reader, target.subarray(sessions * RECORD.size), most - sessions);
      if (some > 0) {
        parts.push({ segment, sessions: some });
        end = reader.place;
        sessions += some;
      }
      if (sessions < most) reader = this.#readOn(segment);
    }
    return end && { sessions, parts, end };
  }

  /** Stops reading the segment that is read. */
  end(): void {
    if (this.#reader !== undefined) this.#notices.ended(this.#reader.segment.path);
    this.#reader = undefined;
  }

  /** The reader of the first segment that has something to take. */
  #reading(): SegmentReader | undefined {
    if (this.#reader !== undefined) return this.#reader;
    const segment = this.#segments.next;
    if (segment === undefined) return undefined;
    return this.#reader = new SegmentReader(
      segment,
      this.#window,
      (offset, bytes, sessions) => this.#damaged(segment, offset, bytes, sessions),
    );
  }

  #read(reader: SegmentReader, target: Uint8Array, most: number): number {
    const { segment } = reader;
    let sessions = 0;
    try {
      sessions = reader.read(target, most);
    } catch (error) {
      this.#notices.cannotRead(segment.path, error);
      this.#segments.abandon(segment);
    }
    this.#segments.take(segment, sessions);
    return sessions;
  }

  /** The reader of what comes after `segment`; undefined if nothing is there now. */
  #readOn(segment: Segment): SegmentReader | undefined {
    this.#segments.lose(segment, segment.waiting); // what was promised and is not there
    if (segment === this.#segments.written) return undefined;
    segment.isTaken = true;
    segment.close();
    this.end();
    return this.#reading();
  }

  #damaged(segment: Segment, offset: number, bytes: number, sessions: number): void {
    this.#counters.corruptBytes += bytes;
    this.#segments.lose(segment, Math.min(sessions, segment.waiting));
    this.#notices.damaged(segment.path, offset, bytes);
  }
}
