/** What every measurement needs. */
import type { Load } from "./load.ts";
import type { Scale } from "./scale.ts";
import type { Sink } from "./sink.ts";

/** The bench, set up. */
export interface Bench {
  readonly scale: Scale;
  /** For files of a measurement. */
  readonly folder: string;
  readonly load: Load;
  readonly sink: Sink;
  /** Shows what is being measured. */
  readonly progress: (text: string) => void;
}
