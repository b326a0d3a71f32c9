/** The formats `table` and `wide`: tcplife's columns, aligned. */
import type { SessionBatch } from "../../src/session/batch.ts";
import { digitCount, writeInteger, writeText } from "../../src/bytes/digits.ts";
import { GrowingBuffer } from "../../src/bytes/growing_buffer.ts";
import { printable } from "../../src/messages/printable.ts";
import type { Session } from "../../src/session/session.ts";
import { SecondsSinceFirst, TimeOfDay } from "./clock.ts";
import {
  ipVersion,
  kilobytes,
  pid,
  ROW_LIMIT,
  writeMilliseconds,
  writePlainComm,
} from "./columns.ts";
import { LINE_END, type StdoutFormat } from "./format.ts";

/** Widths in columns. COMM is cut to its width; the others only grow, as tcplife's do. */
interface Widths {
  readonly comm: number;
  /** undefined: no such column */
  readonly ip: number | undefined;
  readonly address: number;
  readonly kilobytes: number;
}

const TABLE: Widths = { comm: 10, ip: undefined, address: 15, kilobytes: 5 };
const WIDE: Widths = { comm: 16, ip: 2, address: 39, kilobytes: 6 };

const PORT = 5;
const PID = 5;
const TIME = 8;
const SECONDS = 9;

/** What a table shows besides the session: `time` like tcplife's -T, `timestamp` like its -t. */
export interface TableOptions {
  readonly wide: boolean;
  readonly time: boolean;
  readonly timestamp: boolean;
}

/**
 * Rows that split at spaces into the same number of fields as the header, unless a name contains a
 * space: if the owner is unknown, PID is 0 and COMM is `-`.
 */
export class TableFormat implements StdoutFormat {
  readonly header: string;
  readonly #widths: Widths;
  readonly #time: TimeOfDay | undefined;
  readonly #seconds: SecondsSinceFirst | undefined;
  readonly #buffer = new GrowingBuffer();

  constructor({ wide, time, timestamp }: TableOptions) {
    this.#widths = wide ? WIDE : TABLE;
    this.#time = time ? new TimeOfDay() : undefined;
    this.#seconds = timestamp ? new SecondsSinceFirst() : undefined;
    this.header = (time ? column("TIME", TIME) : "") +
      (timestamp ? column("TIME(s)", SECONDS) : "") +
      header(this.#widths);
  }

  format(batch: SessionBatch): Uint8Array<ArrayBuffer> {
    const buffer = this.#buffer;
    const session = batch.at(0);
    let at = 0;
    for (let i = 0; i < batch.length; i++) {
      at = this.#writeRow(session.moveTo(i), buffer.reserve(at, ROW_LIMIT), at);
    }
    return buffer.bytes.subarray(0, at);
  }

  #writeRow(session: Session, target: DataView, at: number): number {
    const widths = this.#widths;
    if (this.#time !== undefined) {
      at = pad(target, this.#time.write(session, target, at), at + TIME);
    }
    if (this.#seconds !== undefined) {
      at = pad(target, this.#seconds.write(session, target, at), at + SECONDS);
    }
    at = pad(target, writeInteger(pid(session), target, at), at + PID);
    at = writeComm(session, widths.comm, target, at);
    if (widths.ip !== undefined) {
      at = pad(target, writeInteger(ipVersion(session), target, at), at + widths.ip);
    }
    at = pad(target, session.writeAddress("local", target, at), at + widths.address);
    at = pad(target, writeInteger(session.localPort, target, at), at + PORT);
    at = pad(target, session.writeAddress("peer", target, at), at + widths.address);
    at = pad(target, writeInteger(session.peerPort, target, at), at + PORT);
    at = writeRight(kilobytes(session.txBytes), widths.kilobytes, target, at);
    at = writeRight(kilobytes(session.rxBytes), widths.kilobytes, target, at);
    at = writeMilliseconds(session.lifeUs, target, at);
    target.setUint8(at, LINE_END);
    return at + 1;
  }
}

/** Writes COMM, cut to its width. @returns where the next column begins */
function writeComm(session: Session, width: number, target: DataView, at: number): number {
  const end = writePlainComm(session, target, at);
  if (end === at) return writeText(column("-", width), target, at);
  if (end === -1) {
    return writeText(column(printable(session.commBytes, width), width), target, at);
  }
  return pad(target, Math.min(end, at + width), at + width);
}

/** Writes a number at the right of its column. @returns where the next column begins */
function writeRight(value: number, width: number, target: DataView, at: number): number {
  const limit = 10 ** width;
  if (value >= limit) return pad(target, writeInteger(value, target, at), at);
  pad(target, at, at + width);
  writeInteger(value, target, at + width - digitCount(value));
  return at + width + 1;
}

/** Eight spaces. */
const SPACES = new DataView(new TextEncoder().encode(" ".repeat(8)).buffer).getFloat64(0);

/**
 * Fills a column up to its end, or beyond: at least one space stands between two columns.
 * @param from where its text ends
 * @returns where the next column begins
 */
function pad(target: DataView, from: number, end: number): number {
  let at = from;
  do {
    target.setFloat64(at, SPACES);
    at += 8;
  } while (at <= end);
  return Math.max(from, end) + 1;
}

function column(text: string, width: number): string {
  return text.padEnd(width) + " ";
}

function header({ comm, ip, address, kilobytes }: Widths): string {
  return column("PID", PID) + column("COMM", comm) + (ip === undefined ? "" : column("IP", ip)) +
    column("LADDR", address) + column("LPORT", PORT) +
    column("RADDR", address) + column("RPORT", PORT) +
    `${"TX_KB".padStart(kilobytes)} ${"RX_KB".padStart(kilobytes)} MS\n`;
}
