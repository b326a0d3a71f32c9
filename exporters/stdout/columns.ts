/** The values of tcplife's columns, as bytes, before a format lays them out. */
import { writeDigits, writeInteger, writeText } from "../../src/bytes/digits.ts";
import type { Session } from "../../src/session/session.ts";

/** More than the longest row and what its last copies overwrite: all of its text is bounded. */
export const ROW_LIMIT = 1024;

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const POINT = 0x2e;
const BACKSLASH = 0x5c;
const DELETE = 0x7f;

/** PID: scripts read an integer, so an unknown owner is 0, which no process has. */
export function pid(session: Session): number {
  return session.pid ?? 0;
}

/**
 * Writes COMM if it is the same in every format, as almost every name is: nothing in it must be
 * escaped or quoted. Empty for an unknown owner.
 * @returns where it ends; -1 for other names: then what was written is not valid
 */
export function writePlainComm(session: Session, target: DataView, at: number): number {
  const end = session.writeAsciiComm(target, at);
  for (let i = at; i < end; i++) {
    const byte = target.getUint8(i);
    if (byte < SPACE || byte >= DELETE) return -1;
    if (byte === BACKSLASH || byte === QUOTE || byte === COMMA) return -1;
  }
  return end;
}

/** IP: 4 or 6 */
export function ipVersion(session: Session): number {
  return session.family === "ipv4" ? 4 : 6;
}

/** TX_KB and RX_KB: whole units of 1024 bytes. */
export function kilobytes(bytes: number): number {
  return Math.floor(bytes / 1024);
}

/**
 * Writes MS, as C's `%.2f` prints whole microseconds divided by 1000.
 * @returns where it ends
 */
export function writeMilliseconds(microseconds: number, target: DataView, at: number): number {
  if (microseconds < 0 || microseconds > Number.MAX_SAFE_INTEGER) {
    return writeText((microseconds / 1000).toFixed(2), target, at); // no tie: those are even
  }
  const whole = Math.floor(microseconds / 1000);
  const rest = microseconds - whole * 1000;
  let hundredths = rest / 10 | 0;
  if (rest - hundredths * 10 >= 5 && isRoundedUp(microseconds, rest, hundredths)) hundredths++;
  const carry = hundredths === 100;
  at = writeInteger(carry ? whole + 1 : whole, target, at);
  target.setUint8(at, POINT);
  return writeDigits(carry ? 0 : hundredths, 2, target, at + 1);
}

const SPLIT = 2 ** 27 + 1;

/** Whether C rounds up what is at least as near to the next hundredth as to `hundredths`. */
function isRoundedUp(microseconds: number, rest: number, hundredths: number): boolean {
  if (rest - hundredths * 10 > 5) return true;
  // Half a hundredth: C rounds the double, which has an error of its own. This is exactly a
  // thousand times that error: both parts of the quotient are short enough to be multiplied.
  const quotient = microseconds / 1000;
  const high = quotient * SPLIT - (quotient * SPLIT - quotient);
  const error = high * 1000 - microseconds + (quotient - high) * 1000;
  return error === 0 ? hundredths % 2 === 1 : error > 0; // C breaks a tie towards the even one
}
