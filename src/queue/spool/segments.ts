/** The segments of a spool, and what is in them together. */
import type { QueueCounters } from "../counters.ts";
import type { SpoolNotices } from "./notices.ts";
import type { Segment } from "./segment.ts";

/** In their order: some that were taken and are not done, the one that is read, the others. */
export class SegmentList {
  /** The last one, while it grows. */
  written: Segment | undefined;
  readonly #segments: Segment[];
  readonly #removable: Segment[] = []; // done, and not yet removed
  readonly #counters: QueueCounters;
  readonly #notices: SpoolNotices;
  #length = 0;
  #bytes = 0;

  /**
   * @param found what an earlier run has left
   * @param counters what is lost is added to `corrupt`, what is dropped to `dropped`
   */
  constructor(found: readonly Segment[], counters: QueueCounters, notices: SpoolNotices) {
    this.#segments = [...found];
    this.#counters = counters;
    this.#notices = notices;
    for (const { waiting, size } of found) {
      this.#length += waiting;
      this.#bytes += size;
    }
  }

  /** Sessions that wait. */
  get length(): number {
    return this.#length;
  }

  /** Size of all segments. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The first that has something to take. */
  get next(): Segment | undefined {
    return this.#segments.find(({ isTaken }) => !isTaken);
  }

  /** The one that has waited longest, unless it grows or sessions of it are under way. */
  get oldest(): Segment | undefined {
    return this.#segments.find((each) => each !== this.written && each.underWay === 0);
  }

  /** Adds a new one, which is written from now on. */
  add(segment: Segment): void {
    this.#segments.push(segment);
    this.#bytes += segment.size;
    this.written = segment;
  }

  /** Appends `sessions` in a frame, or a seal, to one of them. @throws as `Segment.append` */
  append(segment: Segment, frame: Uint8Array, sessions: number): void {
    segment.append(frame);
    segment.waiting += sessions;
    this.#length += sessions;
    this.#bytes += frame.length;
  }

  /** `sessions` of one of them were read. */
  take(segment: Segment, sessions: number): void {
    // more than were promised: somebody changed the segment
    const surplus = Math.max(0, sessions - segment.waiting);
    this.#counters.restored += surplus;
    segment.waiting -= sessions - surplus;
    this.#length -= sessions - surplus;
  }

  /** `sessions` of one of them were taken, and stay for the next run. */
  leave(segment: Segment, sessions: number): void {
    segment.left += sessions;
    this.#length += sessions;
  }

  /** Counts `sessions` that cannot be read, of those that wait in one of them. */
  lose(segment: Segment, sessions: number): void {
    segment.waiting -= sessions;
    this.#length -= sessions;
    this.#counters.corrupt += sessions;
  }

  /** Counts what no later run will find: it could be read only as long as its file was open. */
  loseGone(): void {
    for (const segment of this.#segments.filter(({ waiting, left }) => waiting + left > 0)) {
      if (!segment.isGone) continue;
      this.#notices.cannotRead(segment.path, new Deno.errors.NotFound());
      this.#length -= segment.left;
      this.#counters.corrupt += segment.left;
      this.lose(segment, segment.waiting);
      this.abandon(segment);
      segment.close();
    }
  }

  /** Drops one of them with all that waits in it, which gives room at once. */
  drop(segment: Segment): void {
    this.#counters.dropped += segment.waiting;
    this.#length -= segment.waiting;
    segment.waiting = 0;
    segment.isTaken = true;
    this.#remove(segment);
    this.#clean();
  }

  /** Gives up one that cannot be read, and leaves its file where it is. */
  abandon(segment: Segment): void {
    this.#takeOut(segment);
    if (segment === this.written) this.written = undefined;
  }

  /** Removes those in which all is done, wherever they are. */
  removeDone(): void {
    const done = this.#segments.filter(({ isTaken, underWay }) => isTaken && underWay === 0);
    for (const segment of done) this.#remove(segment);
    this.#clean();
  }

  /** Removes all of them. */
  removeAll(): void {
    for (const segment of [...this.#segments]) this.#remove(segment);
    this.#clean();
  }

  /** Closes their files. */
  close(): void {
    for (const segment of [...this.#segments, ...this.#removable]) segment.close();
  }

  #remove(segment: Segment): void {
    this.#takeOut(segment);
    this.#removable.push(segment);
  }

  #takeOut(segment: Segment): void {
    this.#segments.splice(this.#segments.indexOf(segment), 1);
    this.#bytes -= segment.size;
  }

  /** Removes the files of those that are done; what cannot be removed now is removed later. */
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
}
