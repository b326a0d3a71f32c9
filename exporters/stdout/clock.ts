/** The columns TIME and TIME(s). */
import { localTimeOfDay } from "../../ffi/local_time.ts";
import { ConstantBytes } from "../../src/bytes/constant_bytes.ts";
import { writeDigits, writeInteger, writeText } from "../../src/bytes/digits.ts";
import { RECORD } from "../../src/session/record_layout.ts";
import type { Session } from "../../src/session/session.ts";
import { UnixTime } from "../../src/bytes/unix_time.ts";

const MINUS = 0x2d;
const POINT = 0x2e;

const WORD = 2 ** 32;
const SECOND_US = 1_000_000;
const EXACT_US = 2 ** 52; // up to here, a quotient rounded to millionths is exact

const encoder = new TextEncoder();

/** TIME: the wall clock at a session's end, in the local time zone. */
export class TimeOfDay {
  readonly #end = new UnixTime();
  #second: number | undefined;
  #text = new ConstantBytes(new Uint8Array());

  /** Writes HH:MM:SS, and overwrites what follows up to byte 40. @returns where it ends */
  write(session: Session, target: DataView, at: number): number {
    session.readEnd(this.#end);
    const { seconds } = this.#end;
    if (seconds !== this.#second) {
      this.#second = seconds;
      this.#text = new ConstantBytes(encoder.encode(localTimeOfDay(seconds)));
    }
    return this.#text.copyTo(target, at);
  }
}

/** TIME(s): seconds from the end of the first session printed to the end of this one. */
export class SecondsSinceFirst {
  // microseconds of the boot clock, in words of 32 bits: together they may be more than 2^53
  #firstHigh = 0;
  #firstLow = 0;
  #isFirst = true;

  /**
   * Writes seconds with six decimals; negative for a session that ended before the first one printed.
   * @returns where they end
   */
  write(session: Session, target: DataView, at: number): number {
    // the boot clock: a step of the wall clock does not count as time between two rows
    const nsHigh = session.word(RECORD.end_ns + 4) >>> 0;
    const high = Math.floor(nsHigh / 1000);
    const low = Math.floor(
      ((nsHigh - high * 1000) * WORD + (session.word(RECORD.end_ns) >>> 0)) / 1000,
    );
    if (this.#isFirst) {
      this.#isFirst = false;
      this.#firstHigh = high;
      this.#firstLow = low;
    }
    // the difference of each is exact
    return writeSeconds((high - this.#firstHigh) * WORD + (low - this.#firstLow), target, at);
  }
}

function writeSeconds(microseconds: number, target: DataView, at: number): number {
  const magnitude = Math.abs(microseconds);
  if (magnitude > EXACT_US) return writeText((microseconds / 1e6).toFixed(6), target, at);
  if (microseconds < 0) target.setUint8(at++, MINUS);
  const seconds = Math.floor(magnitude / SECOND_US);
  at = writeInteger(seconds, target, at);
  target.setUint8(at, POINT);
  return writeDigits(magnitude - seconds * SECOND_US, 6, target, at + 1);
}
