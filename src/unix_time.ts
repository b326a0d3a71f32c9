/** Nanoseconds since 1970 without BigInt: two halves of 32 bits that change in place. */

const WORD = 2 ** 32;

/** A time that others can be written into. */
export class UnixTime {
  /** The low half, as a signed number. */
  low = 0;
  /** The high half, as a signed number. */
  high = 0;

  /** Takes over two halves. */
  set(low: number, high: number): void {
    this.low = low;
    this.high = high;
  }

  /** Takes over another time. */
  copy(other: UnixTime): void {
    this.low = other.low;
    this.high = other.high;
  }

  /** Adds 64 bits, modulo 2^64. */
  add(low: number, high: number): void {
    const sum = (this.low + low) | 0;
    // the carry, without a branch
    const carry = (this.low & low | (this.low | low) & ~sum) >>> 31;
    this.high = (this.high + high + carry) | 0;
    this.low = sum;
  }

  /** @param ns a whole number from 0 to 2^53 */
  subtract(ns: number): void {
    const low = (this.low >>> 0) - ns % WORD;
    this.high = (this.high - Math.floor(ns / WORD) - (low < 0 ? 1 : 0)) | 0;
    this.low = low | 0;
  }

  isBefore(other: UnixTime): boolean {
    return this.high < other.high ||
      this.high === other.high && this.low >>> 0 < other.low >>> 0;
  }

  /** Nanoseconds. */
  get ns(): bigint {
    return BigInt(this.high) << 32n | BigInt(this.low >>> 0);
  }
}
