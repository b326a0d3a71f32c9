/** A capture in a guest, and what the kernel refused of it. */
import type { CaptureOptions } from "../../../mod.ts";
import type { Omission } from "../../../src/capture/omission.ts";
import { Trace } from "../../kernel/harness.ts";

const refused = new Map<string, Omission>();

/** Captures; notes the programs that the kernel did not take with these options. */
export async function startTrace(options: CaptureOptions = {}): Promise<Trace> {
  const trace = await Trace.start(options);
  for (const omission of trace.omissions) refused.set(omission.part, omission);
  return trace;
}

/** What was refused, whatever the options were. */
export function refusedParts(): readonly Omission[] {
  return [...refused.values()];
}
