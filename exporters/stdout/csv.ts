/** The format `csv`: tcplife -s, quoted as RFC 4180 has it, lines ended by LF. */
import type { SessionBatch } from "../../src/batch.ts";
import type { Session } from "../../src/session.ts";
import { SecondsSinceFirst, TimeOfDay } from "./clock.ts";
import { comm, ipVersion, kilobytes, milliseconds, pid } from "./columns.ts";
import type { StdoutFormat } from "./format.ts";

/** What stands before the session: `time` as tcplife's -T, `timestamp` as its -t. */
export interface CsvOptions {
  readonly time: boolean;
  readonly timestamp: boolean;
}

/**
 * One record a line. COMM is whole, with what can't be seen escaped as in the table; where the
 * owner is unknown, PID is 0 and COMM is empty.
 */
export class CsvFormat implements StdoutFormat {
  readonly header: string;
  readonly #time: TimeOfDay | undefined;
  readonly #seconds: SecondsSinceFirst | undefined;

  constructor({ time, timestamp }: CsvOptions) {
    this.#time = time ? new TimeOfDay() : undefined;
    this.#seconds = timestamp ? new SecondsSinceFirst() : undefined;
    this.header = (time ? "TIME," : "") + (timestamp ? "TIME(s)," : "") +
      "PID,COMM,IP,LADDR,LPORT,RADDR,RPORT,TX_KB,RX_KB,MS\n";
  }

  format(batch: SessionBatch): string {
    const session = batch.at(0);
    let text = "";
    for (let i = 0; i < batch.length; i++) text += this.#row(batch, session.moveTo(i), i);
    return text;
  }

  #row(batch: SessionBatch, session: Session, index: number): string {
    const time = this.#time === undefined ? "" : `${this.#time.format(session)},`;
    const seconds = this.#seconds === undefined ? "" : `${this.#seconds.format(batch, index)},`;
    return `${time}${seconds}${pid(session)},${quoted(comm(batch, index))},${ipVersion(session)},` +
      `${session.localAddress},${session.localPort},${session.peerAddress},${session.peerPort},` +
      `${kilobytes(session.txBytes)},${kilobytes(session.rxBytes)},` +
      `${milliseconds(session.lifeUs)}\n`;
  }
}

/** Line ends do not come here: they are escaped. */
function quoted(field: string): string {
  return field.includes(",") || field.includes('"') ? `"${field.replaceAll('"', '""')}"` : field;
}
