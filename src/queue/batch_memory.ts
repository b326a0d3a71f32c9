/** Memory for batches, used again and again. */
import { RECORD } from "../session/record_layout.ts";

/** Pieces of memory, each with room for a batch. */
export class BatchMemory {
  readonly #bytes: number;
  readonly #mostFree: number;
  readonly #free: Uint8Array<ArrayBuffer>[] = [];

  /**
   * @param capacity sessions in a batch at most
   * @param mostFree pieces that are kept while they are unused
   * @throws {RangeError} if the capacity is not a number of sessions above 0
   */
  constructor(readonly capacity: number, mostFree: number) {
    if (!Number.isSafeInteger(capacity) || capacity < 1) {
      throw new RangeError(`cannot make batches of ${capacity} sessions: expected at least 1`);
    }
    this.#bytes = capacity * RECORD.size;
    this.#mostFree = mostFree;
  }

  /** A piece; what is in it is arbitrary. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#free.pop() ?? new Uint8Array(this.#bytes);
  }

  /** Takes back a piece that nobody reads any more. One of another capacity is not kept. */
  give(bytes: Uint8Array<ArrayBuffer>): void {
    const whole = new Uint8Array(bytes.buffer);
    if (whole.length === this.#bytes && this.#free.length < this.#mostFree) this.#free.push(whole);
  }
}
