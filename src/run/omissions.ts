/** What a capture goes on without, in words for the user. */
import type { Omission } from "../capture/omission.ts";
import { log } from "../messages/log.ts";

/** A warning for each. */
export function warnOfOmissions(omissions: readonly Omission[]): void {
  for (const { part, loss, reason } of omissions) {
    log.warn(`without ${part}: ${loss} (${reason})`.split("\n"));
  }
}
