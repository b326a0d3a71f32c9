/** Captures of records, as runs open them. */
import { Capture } from "../../src/capture/capture.ts";
import type { CaptureOptions } from "../../src/capture/capture_options.ts";

/** Captures everything by default. */
export function capture(options: CaptureOptions = {}): Promise<Capture> {
  return Capture.open(options);
}
