/** RFC 3339 text of a time in UTC. */
import { ConstantBytes } from "./constant_bytes.ts";
import { writeDigits, writeText } from "./digits.ts";
import type { UnixTime } from "./unix_time.ts";

/**
 * @param unixNs nanoseconds since the Unix epoch, not negative
 * @param digits of the fraction of a second: 0 to 9; the rest is cut
 */
export function formatRfc3339(unixNs: bigint, digits: number): string {
  const seconds = new Date(Number(unixNs / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  if (digits === 0) return `${seconds}Z`;
  const fraction = String(unixNs % 1_000_000_000n).padStart(9, "0").slice(0, digits);
  return `${seconds}.${fraction}Z`;
}

const DAY_S = 86_400;
const COLON = 0x3a;
const POINT = 0x2e;
const ZULU = 0x5a;

const encoder = new TextEncoder();

/** Writes times as `formatRfc3339` does, with nine digits, but without a string for each. */
export class Rfc3339Writer {
  #day: number | undefined;
  #date = new ConstantBytes(new Uint8Array());

  /** Also overwrites what follows, up to byte 40. @returns where it ends */
  write(time: UnixTime, target: DataView, at: number): number {
    if (time.high < 0) return writeText(formatRfc3339(time.ns, 9), target, at);
    const { seconds } = time;
    const day = Math.floor(seconds / DAY_S);
    if (day !== this.#day) {
      this.#day = day;
      const date = new Date(day * DAY_S * 1000).toISOString().slice(0, 11);
      this.#date = new ConstantBytes(encoder.encode(date));
    }
    const second = seconds - day * DAY_S;
    const minute = second / 60 | 0;
    const hour = minute / 60 | 0;
    at = this.#date.copyTo(target, at);
    at = writeDigits(hour, 2, target, at);
    target.setUint8(at, COLON);
    at = writeDigits(minute - hour * 60, 2, target, at + 1);
    target.setUint8(at, COLON);
    at = writeDigits(second - minute * 60, 2, target, at + 1);
    target.setUint8(at, POINT);
    at = writeDigits(time.nanosecondsOf(seconds), 9, target, at + 1);
    target.setUint8(at, ZULU);
    return at + 1;
  }
}
