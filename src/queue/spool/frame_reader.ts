/** The frames of a segment, one after the other, whatever happened to the bytes in between. */
import {
  FRAME_BEGIN,
  FRAME_HEADER,
  isPayloadWhole,
  LARGEST_PAYLOAD,
  payloadLength,
} from "./frame.ts";

/** Where the bytes come from: `Segment`, or memory in a test. */
export interface FrameSource {
  /** Bytes that are there. They may become more. */
  readonly size: number;
  /** Of one record, in bytes. */
  readonly recordSize: number;
  /** CRC-32 of the records' layout, as text. */
  readonly layout: number;
  /** Reads bytes from `position` on: all that `target` has room for, or all that there are. */
  readAt(position: number, target: Uint8Array): number;
}

/** Memory for a {@linkcode FrameReader}: readers may share it if only one is in use. */
export const WINDOW = FRAME_HEADER + LARGEST_PAYLOAD;

// After so many bytes checked in vain, some milliseconds' worth, a segment is given up: it may be made
// to look like the start of many frames. To check a header costs as much as HEADER_COST bytes.
const SEARCH_BUDGET = 64 * 2 ** 20;
const HEADER_COST = 256;

/** Reads on from one frame to the next. Its members describe what `next` found last. */
export class FrameReader {
  /** Of a frame, its records. They hold until the next call. */
  payload: Uint8Array<ArrayBuffer> = new Uint8Array();
  /** Where the frame or the damage begins. */
  offset: number;
  /** Of damage: sessions that are lost with it, if a header that is whole says how many. */
  lostSessions = 0;
  /** Of damage: whether all bytes of its first frame are there, so that it is not a write cut short. */
  isWrongInPlace = false;
  readonly #source: FrameSource;
  readonly #window: Uint8Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;
  #start: number; // of the window, in the source
  #filled = 0; // bytes of the window
  #position: number;
  #budget = SEARCH_BUDGET;

  /**
   * @param window memory of at least `WINDOW` bytes
   * @param from where the first frame is expected
   */
  constructor(source: FrameSource, window: Uint8Array<ArrayBuffer>, from: number) {
    this.#source = source;
    this.#window = window;
    this.#view = new DataView(window.buffer, window.byteOffset, window.byteLength);
    this.#position = this.#start = this.offset = from;
  }

  /** Where the next frame is expected: the end of what was found last. */
  get position(): number {
    return this.#position;
  }

  /**
   * Goes on to the next frame. `damage` is bytes from `offset` to `position` that are not a whole
   * frame; `end` is the end of what is there.
   * @throws an error of the operating system
   */
  next(): "frame" | "damage" | "end" {
    for (;;) {
      const at = this.offset = this.#position;
      const { size } = this.#source;
      if (at >= size) return "end";
      const length = this.#header(at);
      if (length === undefined) return this.#damage(at + 1, 0);
      if (length === 0) {
        this.#position = at + FRAME_HEADER;
        continue;
      }
      const sessions = Math.floor(length / this.#source.recordSize);
      if (!this.#fits(at, length)) return this.#damage(at + FRAME_HEADER, sessions);
      const end = at + FRAME_HEADER + length;
      if (this.#isWhole(at, length)) {
        const start = at + FRAME_HEADER - this.#start;
        this.payload = this.#window.subarray(start, start + length);
        this.#position = end;
        return "frame";
      }
      this.lostSessions = sessions;
      this.isWrongInPlace = true;
      // a header that is right says how long the damage is, unless bytes are missing or were added
      this.#position = this.#search(at + FRAME_HEADER, end);
      if (this.#position === end && end < size && this.#header(end) === undefined) {
        this.#position = this.#search(end, size);
      }
      return "damage";
    }
  }

  /** Length of the payload by the header at `offset`; undefined if there is no header. */
  #header(offset: number): number | undefined {
    return this.#load(offset, FRAME_HEADER)
      ? payloadLength(this.#view, offset - this.#start)
      : undefined;
  }

  /** Whether a frame at `offset` can have a payload of `length`. */
  #fits(offset: number, length: number): boolean {
    const { size, recordSize } = this.#source;
    return length <= LARGEST_PAYLOAD && length % recordSize === 0 &&
      offset + FRAME_HEADER + length <= size;
  }

  #isWhole(offset: number, length: number): boolean {
    return this.#load(offset, FRAME_HEADER + length) &&
      isPayloadWhole(this.#view, offset - this.#start, length, this.#source.layout);
  }

  #damage(searchFrom: number, lostSessions: number): "damage" {
    this.lostSessions = lostSessions;
    this.isWrongInPlace = false;
    this.#position = this.#search(searchFrom, this.#source.size);
    return "damage";
  }

  /**
   * Where the next whole frame at or after `from` begins; `to` if none does before. A header alone is
   * not enough, because a record may hold what looks like one: its peer chose the address.
   */
  #search(from: number, to: number): number {
    const { size } = this.#source;
    for (let at = from; at < to && this.#load(at, FRAME_HEADER);) {
      const found = this.#window.subarray(0, this.#filled).indexOf(FRAME_BEGIN, at - this.#start);
      if (found < 0) {
        at = this.#start + this.#filled;
        continue;
      }
      at = this.#start + found;
      if (at >= to) break;
      const length = this.#header(at);
      if (length !== undefined) {
        if (length === 0 && at + FRAME_HEADER === size) return at;
        if (length > 0 && this.#fits(at, length)) {
          if (this.#isWhole(at, length)) return at;
          this.#budget -= length;
        }
      }
      this.#budget -= HEADER_COST;
      if (this.#budget < 0) break;
      at++;
    }
    return to;
  }

  /** Makes the window hold `length` bytes from `offset` on; false if they are not there. */
  #load(offset: number, length: number): boolean {
    const end = this.#start + this.#filled;
    if (offset >= this.#start && offset + length <= end) return true;
    const known = offset >= this.#start && offset < end ? end - offset : 0;
    if (known > 0) this.#window.copyWithin(0, offset - this.#start, this.#filled);
    this.#start = offset;
    const room = Math.min(WINDOW, this.#source.size - offset);
    this.#filled = known;
    if (room > known) {
      this.#filled += this.#source.readAt(offset + known, this.#window.subarray(known, room));
    }
    return this.#filled >= length;
  }
}
