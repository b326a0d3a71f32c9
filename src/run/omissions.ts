/** What a capture lacks, in words for the user. */
import type { Omission } from "../capture/omission.ts";
import { log } from "../messages/log.ts";

/** Warns of each omission. */
export function warnOfOmissions(omissions: readonly Omission[]): void {
  for (const { part, loss, reason } of omissions) {
    log.warn(`without ${part}: ${loss} (${reason})`.split("\n"));
  }
}
