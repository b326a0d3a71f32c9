/** A capture in a guest, and what the kernel refused. */
import type { CaptureOptions } from "../../../mod.ts";
import type { Omission } from "../../../src/capture/omission.ts";
import { Trace } from "../../kernel/harness.ts";

const refused = new Map<string, Omission>();

/** Starts a capture, and notes the programs that the kernel refused with these options. */
export async function startTrace(options: CaptureOptions = {}): Promise<Trace> {
  const trace = await Trace.start(options);
  for (const omission of trace.omissions) refused.set(omission.part, omission);
  return trace;
}

/** What was refused with any options so far. */
export function refusedParts(): readonly Omission[] {
  return [...refused.values()];
}
