/** The values of tcplife's columns, before a format lays them out. */
import type { SessionBatch } from "../../src/batch.ts";
import { RECORD, TEXT_LENGTH } from "../../src/record_layout.ts";
import { printable } from "../../src/printable.ts";
import type { Session } from "../../src/session.ts";

/** PID: scripts read an integer, so an unknown owner is 0, which no process has. */
export function pid(session: Session): number {
  return session.pid ?? 0;
}

/**
 * COMM, from the bytes: decoded text no longer has those that are no UTF-8. Empty for an unknown
 * owner.
 *
 * @param columns where to cut it
 */
export function comm(batch: SessionBatch, index: number, columns?: number): string {
  const start = index * RECORD.size + RECORD.owner_comm;
  const bytes = batch.bytes.subarray(start, start + TEXT_LENGTH.comm);
  const end = bytes.indexOf(0);
  return printable(end === -1 ? bytes : bytes.subarray(0, end), columns);
}

/** IP */
export function ipVersion(session: Session): "4" | "6" {
  return session.family === "ipv4" ? "4" : "6";
}

/** TX_KB and RX_KB: whole units of 1024 bytes. */
export function kilobytes(bytes: number): number {
  return Math.floor(bytes / 1024);
}

/** MS, as C's `%.2f` prints microseconds divided by 1000. */
export function milliseconds(microseconds: number): string {
  // .125 and .625 are exact in binary: of two equally near values C takes the even one, toFixed the
  // larger one. Everywhere else both round the exact value of the double.
  const tie = microseconds % 500 === 125;
  return ((tie ? microseconds - 5 : microseconds) / 1000).toFixed(2);
}
