/** What a run knew of the clocks, in the variables that it leaves to the next one. */
import type { ClockReading } from "../../ffi/clock.ts";

/** The newest first, at most MOST_READINGS. */
export type ClockHistory = readonly ClockReading[];

/** As many as `clock_readings` in bpf/settings.h has room for. */
export const MOST_READINGS = 16;

const WORDS = 3; // of a reading

/** @param get a word of `clock_readings`; undefined if there are none */
export function readHistory(get: (word: number) => bigint | undefined): ClockReading[] {
  const history: ClockReading[] = [];
  for (let i = 0; i < MOST_READINGS; i++) {
    const signed = (word: number) => BigInt.asIntN(64, get(i * WORDS + word) ?? 0n);
    const [bootNs, wallOffsetNs, taiOffsetNs] = [signed(0), signed(1), signed(2)];
    if (wallOffsetNs === 0n) break; // the rest was never written
    history.push({ bootNs, wallOffsetNs, taiOffsetNs });
  }
  return history;
}

/** @param set sets a word of `clock_readings` */
export function writeHistory(
  history: ClockHistory,
  set: (word: number, value: bigint) => void,
): void {
  for (const [i, { bootNs, wallOffsetNs, taiOffsetNs }] of history.entries()) {
    for (const [word, value] of [bootNs, wallOffsetNs, taiOffsetNs].entries()) {
      set(i * WORDS + word, BigInt.asUintN(64, value));
    }
  }
}
