/** The output whose reader ends the run when it goes. */
import type { RunSettings } from "./settings.ts";

/** Descriptor that an exporter writes to; the run ends when its reader goes. */
export function outputOf({ exporters }: RunSettings): number | undefined {
  return exporters.find(({ type }) => type.output !== undefined)?.type.output;
}
