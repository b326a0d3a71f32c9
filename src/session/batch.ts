/** Raw records as they left the ring, and the sessions in them. */
import { RECORD } from "./record_layout.ts";
import { Session } from "./session.ts";

/**
 * Records, one after the other, each `RECORD.size` bytes: the unit that travels from the ring to
 * the exporters. Its bytes do not change until it is disposed of, which gives its memory back to
 * where it came from; if nobody disposes of it, the garbage collector takes it.
 */
export class SessionBatch implements Disposable {
  readonly bytes: Uint8Array<ArrayBuffer>;
  #giveBack: ((memory: ArrayBuffer) => void) | undefined;

  /**
   * @param bytes whole records: a length that is a multiple of `RECORD.size`
   * @param giveBack takes the memory when nobody reads it any more
   */
  constructor(bytes: Uint8Array<ArrayBuffer>, giveBack?: (memory: ArrayBuffer) => void) {
    if (bytes.length % RECORD.size !== 0) {
      throw new RangeError(
        `cannot make a batch: ${bytes.length} bytes are not a multiple of ${RECORD.size}`,
      );
    }
    this.bytes = bytes;
    this.#giveBack = giveBack;
  }

  /** Number of sessions. */
  get length(): number {
    return this.bytes.length / RECORD.size;
  }

  /** A view on the session at `index`; `Session.moveTo` moves it along without another allocation. */
  at(index: number): Session {
    return new Session(this.bytes).moveTo(index);
  }

  /** Each session in turn, each as a view of its own. */
  *[Symbol.iterator](): IterableIterator<Session> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }

  /** The sessions from `start` (inclusive) to `end` (exclusive), on the same bytes. */
  slice(start: number, end: number): SessionBatch {
    return new SessionBatch(this.bytes.subarray(start * RECORD.size, end * RECORD.size));
  }

  [Symbol.dispose](): void {
    const giveBack = this.#giveBack;
    this.#giveBack = undefined; // once: the memory may have another user by then
    giveBack?.(this.bytes.buffer);
  }
}
