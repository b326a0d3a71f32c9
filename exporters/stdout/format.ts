/** What the formats of the `stdout` exporter have in common. */
import type { SessionBatch } from "../../src/batch.ts";

/** Sessions as lines of text. */
export interface StdoutFormat {
  /** The line above all rows, with its line end; empty where the format has none. */
  readonly header: string;
  /** One line for each session, each with its line end. */
  format(batch: SessionBatch): string;
}
