/** Writes numbers and text as bytes, without a string for each session. */

const GROUP = 1_000_000_000; // nine digits, the most that always fit into 32 bits
const GROUP_DIGITS = 9;
const ZERO = 0x30;
/** Bytes of the longest number as text, its sign included. */
export const NUMBER_LIMIT = 32;

const encoder = new TextEncoder();

/**
 * Writes a whole number as JavaScript does, in at most NUMBER_LIMIT bytes.
 * @returns where it ends
 */
export function writeInteger(value: number, target: DataView, at: number): number {
  if (value >= 0 && value < GROUP) return writeDigits(value, digitCount(value), target, at);
  if (value < 0 || value > Number.MAX_SAFE_INTEGER) return writeText(String(value), target, at);
  const high = Math.floor(value / GROUP);
  at = writeDigits(high, digitCount(high), target, at);
  return writeDigits(value - high * GROUP, GROUP_DIGITS, target, at);
}

/**
 * Writes the last `count` digits of a whole number below 2^31, with leading zeros if it has fewer.
 * @returns where they end
 */
export function writeDigits(value: number, count: number, target: DataView, at: number): number {
  let rest = value | 0;
  for (let i = at + count - 1; i >= at; i--) {
    const tenth = rest / 10 | 0;
    target.setUint8(i, ZERO + rest - tenth * 10);
    rest = tenth;
  }
  return at + count;
}

/** How many digits a whole number from 0 to 10^9 - 1 has. */
export function digitCount(value: number): number {
  if (value < 1000) return value < 10 ? 1 : value < 100 ? 2 : 3;
  if (value < 1_000_000) return value < 10_000 ? 4 : value < 100_000 ? 5 : 6;
  return value < 10_000_000 ? 7 : value < 100_000_000 ? 8 : 9;
}

/** Writes text in UTF-8, the slow way, for what is rare. @returns where it ends */
export function writeText(text: string, target: DataView, at: number): number {
  const bytes = encoder.encode(text);
  for (let i = 0; i < bytes.length; i++) target.setUint8(at + i, bytes[i] ?? 0);
  return at + bytes.length;
}
