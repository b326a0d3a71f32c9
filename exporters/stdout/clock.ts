/** The columns TIME and TIME(s). */
import type { SessionBatch } from "../../src/batch.ts";
import { RECORD } from "../../src/record_layout.ts";
import type { Session } from "../../src/session.ts";

/** TIME: the wall clock at a session's end, in the local time zone. */
export class TimeOfDay {
  #second: number | undefined;
  #text = "";

  /** HH:MM:SS */
  format(session: Session): string {
    const second = Number(session.endUnixNs / 1_000_000_000n);
    if (second !== this.#second) {
      this.#second = second;
      this.#text = new Date(second * 1000).toTimeString().slice(0, 8);
    }
    return this.#text;
  }
}

/** TIME(s): seconds from the end of the first session printed to the end of this one. */
export class SecondsSinceFirst {
  #firstUs: bigint | undefined;

  /** Seconds with six decimals; negative for a session that ended before the first one printed. */
  format(batch: SessionBatch, index: number): string {
    // the boot clock: a step of the wall clock is no time between two rows
    const { buffer, byteOffset } = batch.bytes;
    const end = new DataView(buffer, byteOffset + index * RECORD.size + RECORD.end_ns, 8);
    const us = end.getBigUint64(0, true) / 1000n;
    this.#firstUs ??= us;
    return (Number(us - this.#firstUs) / 1e6).toFixed(6);
  }
}
