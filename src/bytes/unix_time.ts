/** Nanoseconds since 1970 without BigInt: two halves of 32 bits that change in place. */

const WORD = 2 ** 32;
const HALF_WORD = 2 ** 16;
const SECOND_NS = 1_000_000_000;

/** A time that can be changed in place. */
export class UnixTime {
  /** The low half, as a signed number. */
  low = 0;
  /** The high half, as a signed number. */
  high = 0;

  /** Sets both halves. */
  set(low: number, high: number): void {
    this.low = low;
    this.high = high;
  }

  /** Copies another time. */
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

  /** Whole seconds, towards 0. */
  get seconds(): number {
    if (this.high < 0) return Number(this.ns / BigInt(SECOND_NS)); // after 2262, or before 1970
    // by long division: no number has more than 53 bits
    const high = Math.floor(this.high / SECOND_NS);
    const middle = (this.high - high * SECOND_NS) * HALF_WORD + (this.low >>> 16);
    const quotient = Math.floor(middle / SECOND_NS);
    const low = (middle - quotient * SECOND_NS) * HALF_WORD + (this.low & 0xffff);
    return high * WORD + quotient * HALF_WORD + Math.floor(low / SECOND_NS);
  }

  /** Nanoseconds after whole `seconds`, in a time from 1970 on. */
  nanosecondsOf(seconds: number): number {
    return (this.low - Math.imul(seconds, SECOND_NS)) >>> 0; // less than 2^32 are left
  }

  /** Nanoseconds. */
  get ns(): bigint {
    return BigInt(this.high) << 32n | BigInt(this.low >>> 0);
  }
}
