/** The records of one segment, in today's layout. */
import { RECORD } from "../../session/record_layout.ts";
import { FrameReader } from "./frame_reader.ts";
import type { Segment } from "./segment.ts";

const CGROUP_ID = 8; // bytes

/** A place between two sessions of a segment. */
export interface Place {
  readonly segment: Segment;
  /** Of a frame, in bytes. */
  readonly offset: number;
  /** Sessions of this frame that come before the place. */
  readonly sessions: number;
}

/** What a {@linkcode SegmentReader} reports: bytes, and sessions in them as far as they are known. */
export type OnDamage = (offset: number, bytes: number, sessions: number) => void;

/** Reads one session after the other, and skips what is damaged. */
export class SegmentReader {
  readonly #frames: FrameReader;
  readonly #onDamage: OnDamage;
  #read = 0; // sessions of the frame
  #left = 0; // sessions of it that are to be read

  /** @param window as {@linkcode FrameReader} has it */
  constructor(readonly segment: Segment, window: Uint8Array<ArrayBuffer>, onDamage: OnDamage) {
    this.#frames = new FrameReader(segment, window, segment.start.offset);
    this.#onDamage = onDamage;
  }

  /** The place behind the session that was read last. */
  get place(): Place {
    const { segment } = this;
    return this.#left > 0
      ? { segment, offset: this.#frames.offset, sessions: this.#read }
      : { segment, offset: this.#frames.position, sessions: 0 };
  }

  /**
   * Writes records to `target`, at most `most`; fewer if there are no more now.
   * @returns how many
   * @throws an error of the operating system
   */
  read(target: Uint8Array, most: number): number {
    const { translation } = this.segment;
    let done = 0;
    while (done < most && (this.#left > 0 || this.#nextFrame())) {
      const some = Math.min(most - done, this.#left);
      const records = this.#frames.payload.subarray(this.#read * translation.sourceSize);
      const today = target.subarray(done * RECORD.size, (done + some) * RECORD.size);
      translation.translate(records, some, today);
      if (this.segment.isOfEarlierBoot) forgetCgroups(today);
      this.#read += some;
      this.#left -= some;
      done += some;
    }
    return done;
  }

  /** Goes on to the next frame that has something to read; false if there is none now. */
  #nextFrame(): boolean {
    const frames = this.#frames;
    for (let found = frames.next(); found !== "end"; found = frames.next()) {
      if (found === "damage") {
        this.#onDamage(frames.offset, frames.position - frames.offset, frames.lostSessions);
        continue;
      }
      const { start, recordSize } = this.segment;
      const sessions = frames.payload.length / recordSize;
      this.#read = frames.offset === start.offset ? Math.min(start.sessions, sessions) : 0;
      this.#left = sessions - this.#read;
      if (this.#left > 0) return true;
    }
    return false;
  }
}

/** Ids of cgroups are given out again at each boot: these would name others. */
function forgetCgroups(records: Uint8Array): void {
  for (let at = RECORD.owner_cgroup_id; at < records.length; at += RECORD.size) {
    records.fill(0, at, at + CGROUP_ID);
  }
}
