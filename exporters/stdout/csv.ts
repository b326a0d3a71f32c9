/** The format `csv`: tcplife -s, quoted as RFC 4180 says, with LF at line ends. */
import type { SessionBatch } from "../../src/session/batch.ts";
import { writeInteger, writeText } from "../../src/bytes/digits.ts";
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

/** What a row has before the session: `time` like tcplife's -T, `timestamp` like its -t. */
export interface CsvOptions {
  readonly time: boolean;
  readonly timestamp: boolean;
}

/**
 * One record a line. COMM is whole, with what can't be seen escaped as in the table; if the
 * owner is unknown, PID is 0 and COMM is empty.
 */
export class CsvFormat implements StdoutFormat {
  readonly header: string;
  readonly #time: TimeOfDay | undefined;
  readonly #seconds: SecondsSinceFirst | undefined;
  readonly #buffer = new GrowingBuffer();

  constructor({ time, timestamp }: CsvOptions) {
    this.#time = time ? new TimeOfDay() : undefined;
    this.#seconds = timestamp ? new SecondsSinceFirst() : undefined;
    this.header = (time ? "TIME," : "") + (timestamp ? "TIME(s)," : "") +
      "PID,COMM,IP,LADDR,LPORT,RADDR,RPORT,TX_KB,RX_KB,MS\n";
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
    if (this.#time !== undefined) at = comma(target, this.#time.write(session, target, at));
    if (this.#seconds !== undefined) at = comma(target, this.#seconds.write(session, target, at));
    at = comma(target, writeInteger(pid(session), target, at));
    at = comma(target, writeComm(session, target, at));
    at = comma(target, writeInteger(ipVersion(session), target, at));
    at = comma(target, session.writeAddress("local", target, at));
    at = comma(target, writeInteger(session.localPort, target, at));
    at = comma(target, session.writeAddress("peer", target, at));
    at = comma(target, writeInteger(session.peerPort, target, at));
    at = comma(target, writeInteger(kilobytes(session.txBytes), target, at));
    at = comma(target, writeInteger(kilobytes(session.rxBytes), target, at));
    at = writeMilliseconds(session.lifeUs, target, at);
    target.setUint8(at, LINE_END);
    return at + 1;
  }
}

const COMMA = 0x2c;

/** Ends a field. @returns where the next one begins */
function comma(target: DataView, at: number): number {
  target.setUint8(at, COMMA);
  return at + 1;
}

/** Writes COMM. @returns where it ends */
function writeComm(session: Session, target: DataView, at: number): number {
  const end = writePlainComm(session, target, at);
  return end === -1 ? writeText(quoted(printable(session.commBytes)), target, at) : end;
}

/** The field has no line ends: they are escaped. */
function quoted(field: string): string {
  return field.includes(",") || field.includes('"') ? `"${field.replaceAll('"', '""')}"` : field;
}
