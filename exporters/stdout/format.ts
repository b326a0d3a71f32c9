/** What the formats of the `stdout` exporter have in common. */
import type { SessionBatch } from "../../src/session/batch.ts";

/** Sessions as lines of text. */
export interface StdoutFormat {
  /** The line above all rows, with its line end; empty if the format has none. */
  readonly header: string;
  /**
   * One line in UTF-8 for each session, each with its line end. They are valid until the next call,
   * which writes into the same memory.
   */
  format(batch: SessionBatch): Uint8Array<ArrayBuffer>;
}

export const LINE_END = 0x0a;
