/** The output whose reader a run ends with. */
import type { RunSettings } from "./settings.ts";
import { STDOUT } from "../../exporters/stdout/standard_output.ts";

/** Descriptor of stdout if an exporter writes to it, so that the run ends when its reader goes. */
export function outputOf({ exporters }: RunSettings): number | undefined {
  return exporters.some(({ type }) => type.type === "stdout") ? STDOUT : undefined;
}
