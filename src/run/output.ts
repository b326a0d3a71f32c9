/** The output whose reader a run ends with. */
import type { RunSettings } from "./settings.ts";

/** Descriptor that an exporter writes to, so that the run ends when its reader goes. */
export function outputOf({ exporters }: RunSettings): number | undefined {
  return exporters.find(({ type }) => type.output !== undefined)?.type.output;
}
