/** The formats `table` and `wide`: tcplife's columns, aligned. */
import type { SessionBatch } from "../../src/batch.ts";
import type { Session } from "../../src/session.ts";
import { SecondsSinceFirst, TimeOfDay } from "./clock.ts";
import { comm, ipVersion, kilobytes, milliseconds, pid } from "./columns.ts";
import type { StdoutFormat } from "./format.ts";

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

/** What a table shows besides the session: `time` as tcplife's -T, `timestamp` as its -t. */
export interface TableOptions {
  readonly wide: boolean;
  readonly time: boolean;
  readonly timestamp: boolean;
}

/**
 * Rows that split at spaces into the same number of fields as the header, as long as no name holds
 * a space: where the owner is unknown, PID is 0 and COMM is `-`.
 */
export class TableFormat implements StdoutFormat {
  readonly header: string;
  readonly #widths: Widths;
  readonly #time: TimeOfDay | undefined;
  readonly #seconds: SecondsSinceFirst | undefined;

  constructor({ wide, time, timestamp }: TableOptions) {
    this.#widths = wide ? WIDE : TABLE;
    this.#time = time ? new TimeOfDay() : undefined;
    this.#seconds = timestamp ? new SecondsSinceFirst() : undefined;
    this.header = (time ? column("TIME", TIME) : "") +
      (timestamp ? column("TIME(s)", SECONDS) : "") +
      columns(this.#widths, {
        pid: "PID",
        comm: "COMM",
        ip: "IP",
        localAddress: "LADDR",
        localPort: "LPORT",
        peerAddress: "RADDR",
        peerPort: "RPORT",
        tx: "TX_KB",
        rx: "RX_KB",
        ms: "MS",
      });
  }

  format(batch: SessionBatch): string {
    const session = batch.at(0);
    let text = "";
    for (let i = 0; i < batch.length; i++) text += this.#row(batch, session.moveTo(i), i);
    return text;
  }

  #row(batch: SessionBatch, session: Session, index: number): string {
    const time = this.#time === undefined ? "" : column(this.#time.format(session), TIME);
    const seconds = this.#seconds === undefined
      ? ""
      : column(this.#seconds.format(batch, index), SECONDS);
    return time + seconds + columns(this.#widths, {
      pid: String(pid(session)),
      comm: comm(batch, index, this.#widths.comm) || "-",
      ip: ipVersion(session),
      localAddress: session.localAddress,
      localPort: String(session.localPort),
      peerAddress: session.peerAddress,
      peerPort: String(session.peerPort),
      tx: String(kilobytes(session.txBytes)),
      rx: String(kilobytes(session.rxBytes)),
      ms: milliseconds(session.lifeUs),
    });
  }
}

/** The text of one line. */
interface Line {
  readonly pid: string;
  readonly comm: string;
  readonly ip: string;
  readonly localAddress: string;
  readonly localPort: string;
  readonly peerAddress: string;
  readonly peerPort: string;
  readonly tx: string;
  readonly rx: string;
  readonly ms: string;
}

function columns(widths: Widths, line: Line): string {
  return column(line.pid, PID) +
    column(line.comm, widths.comm) +
    (widths.ip === undefined ? "" : column(line.ip, widths.ip)) +
    column(line.localAddress, widths.address) +
    column(line.localPort, PORT) +
    column(line.peerAddress, widths.address) +
    column(line.peerPort, PORT) +
    `${line.tx.padStart(widths.kilobytes)} ${line.rx.padStart(widths.kilobytes)} ${line.ms}\n`;
}

function column(text: string, width: number): string {
  return text.padEnd(width) + " ";
}
