/** Bytes that many spans have. */

const WORD = 8;

/**
 * A run of constant bytes that is copied eight at a time, which for a few dozen of them is several
 * times as fast as byte for byte, and twice as fast as `TypedArray.set`.
 */
export class Run {
  readonly length: number;
  readonly #words: Float64Array;

  constructor(bytes: Uint8Array) {
    this.length = bytes.length;
    const padded = new Uint8Array(Math.ceil(bytes.length / WORD) * WORD);
    padded.set(bytes);
    this.#words = new Float64Array(padded.buffer);
    // a number may change its bits on the way if it is none; text and field tags never look so
    if (this.#words.some(Number.isNaN)) {
      throw new RangeError(`cannot copy by words: ${bytes.toHex()} looks like a NaN`);
    }
  }

  /** Up to seven bytes behind it are overwritten too. @returns where it ends */
  copyTo(target: DataView, at: number): number {
    const words = this.#words;
    for (let i = 0; i < words.length; i++) target.setFloat64(at + WORD * i, words[i] ?? 0, true);
    return at + this.length;
  }
}
