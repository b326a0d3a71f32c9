/** From the ring to batches of sessions, as exporters get them. */
import { RECORD_HEADER, type Ring } from "../../ffi/ring.ts";
import { SessionBatch } from "../session/batch.ts";
import { FLAG, RECORD } from "../session/record_layout.ts";
import type { RecordTranslation } from "../session/record_translation.ts";
import { Nesting } from "./nesting.ts";
import type { Selection } from "./selection.ts";
import type { TakenReports } from "./waiting_reports.ts";
import type { WallClock } from "./wall_clock.ts";

const MAX_BATCH = 4096; // sessions
const FEW = 256; // sessions
const MOST_FREE = 2; // buffers that are kept for batches
const SAME_OFFSET_NS = 10_000; // between two readings of the same pair of clocks

/** What a {@linkcode RingReader} works with. */
export interface RingReaderOptions {
  readonly clock: WallClock;
  readonly selection: Selection;
  /** Called when records were announced, which follow when their sockets are closed. */
  readonly onAnnounced: () => void;
}

/** What is read of a ring. */
export type RingSource = Pick<Ring, "waiting" | "read">;

/** Reads batches, in memory that is used again. */
export class RingReader {
  /** Decides what is wanted; another one may take its place. */
  selection: Selection;
  readonly #clock: WallClock;
  readonly #onAnnounced: () => void;
  readonly #nesting = new Nesting();
  readonly #free: ArrayBuffer[] = [];
  readonly #giveBack = (memory: ArrayBuffer) => {
    const isWhole = memory.byteLength === MAX_BATCH * RECORD.size;
    if (isWhole && this.#free.length < MOST_FREE) this.#free.push(memory);
  };

  constructor({ clock, selection, onAnnounced }: RingReaderOptions) {
    this.#clock = clock;
    this.selection = selection;
    this.#onAnnounced = onAnnounced;
  }

  /**
   * The finished records after those that were read before, at most a batch; undefined if there are
   * none, empty if none of them is wanted. The ring keeps them until its `release()`.
   * @param translation of the ring's records, if they are not of today's layout
   */
  read(ring: RingSource, translation?: RecordTranslation): SessionBatch | undefined {
    if (ring.waiting === 0) return undefined;
    const memory = this.#free.pop() ?? allocate(ring);
    const words = new Int32Array(memory);
    const count = translation === undefined || translation.isIdentity
      ? ring.read(words, RECORD.size)
      : readTranslated(ring, translation, words);
    if (count === 0) {
      this.#giveBack(memory);
      return undefined;
    }
    this.#nesting.apply(words, count);
    const proper = dropAnnounced(words, count);
    if (proper < count) this.#onAnnounced();
    return this.#select(memory, proper);
  }

  /** A batch of those reports that are wanted. It may be empty. */
  batchOf({ memory, count }: TakenReports): SessionBatch {
    const words = new Int32Array(memory);
    this.#nesting.apply(words, count);
    return this.#select(memory, this.selection.applyToOwners(words, count));
  }

  #select(memory: ArrayBuffer, count: number): SessionBatch {
    const words = new Int32Array(memory);
    this.#stampWallTime(words, count);
    const selected = this.selection.apply(words, count);
    return new SessionBatch(new Uint8Array(memory, 0, selected * RECORD.size), this.#giveBack);
  }

  /** Replaces what the kernel program knows of the wall clock's offset by the offset itself. */
  #stampWallTime(words: Int32Array<ArrayBuffer>, count: number): void {
    const view = new DataView(words.buffer);
    const offset = RECORD.wall_offset_ns / 4;
    let [low, high] = [0, 0]; // of the last one: most are within microseconds of it
    let ns = 0n;
    for (let i = 0; i < count; i++) {
      const at = i * RECORD.size / 4 + offset;
      const [ofLow, ofHigh] = [words[at] ?? 0, words[at + 1] ?? 0];
      if (ofHigh !== high || Math.abs(ofLow - low) > SAME_OFFSET_NS || ofHigh === 0) {
        [low, high] = [ofLow, ofHigh];
        ns = this.#offsetOf(view, i * RECORD.size);
      }
      view.setBigInt64(i * RECORD.size + RECORD.wall_offset_ns, ns, true);
    }
  }

  /** Nanoseconds from the boot clock to the wall clock, at the end of the record at `at`. */
  #offsetOf(view: DataView, at: number): bigint {
    const tai = view.getBigInt64(at + RECORD.wall_offset_ns, true);
    const end = view.getBigUint64(at + RECORD.end_ns, true);
    return tai === 0n ? this.#clock.offsetAt(end) : this.#clock.offsetOfTai(tai, end);
  }
}

/** Memory for what waits now; under load for a whole batch, because only that is used again. */
function allocate(ring: RingSource): ArrayBuffer {
  const waiting = Math.ceil(ring.waiting / (RECORD.size + RECORD_HEADER));
  return new ArrayBuffer((waiting < FEW ? waiting : MAX_BATCH) * RECORD.size);
}

/** Reads records of another layout. @returns number of records in `words` */
function readTranslated(
  ring: RingSource,
  translation: RecordTranslation,
  words: Int32Array<ArrayBuffer>,
): number {
  const capacity = Math.floor(words.byteLength / RECORD.size);
  const source = new Int32Array(capacity * translation.sourceSize / 4);
  const count = ring.read(source, translation.sourceSize);
  translation.translate(new Uint8Array(source.buffer), count, new Uint8Array(words.buffer));
  return count;
}

/** Removes announcements of records that follow later. @returns number of records left */
function dropAnnounced(words: Int32Array, count: number): number {
  const length = RECORD.size / 4;
  let left = 0;
  for (let i = 0; i < count; i++) {
    const at = i * length;
    if ((words[at + RECORD.flags / 4] ?? 0) & FLAG.ANNOUNCED) continue;
    if (left < i) words.copyWithin(left * length, at, at + length);
    left++;
  }
  return left;
}
