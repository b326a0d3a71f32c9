/** What the tracer reports at its end as lost. */

/** Sessions and attempts that it saw and did not report, and its other messages. */
export interface Losses {
  /** The kernel ran no program at their end. */
  readonly unseen: number;
  /** Lost in the ring, in the sockets' state, in the exporter. */
  readonly other: number;
  /** State changes that were not seen: their sessions are reported from what followed. */
  readonly skippedRuns: number;
  /** Messages that are not about losses. */
  readonly warnings: readonly string[];
}

const LOST = /lost (\d+) sessions?: (.*)/;
const SKIPPED = /(\d+) state changes? (?:was|were) not seen/;

/** @param lines that the tracer wrote to stderr after its first one */
export function readLosses(lines: readonly string[]): Losses {
  let [unseen, other, skippedRuns] = [0, 0, 0];
  const warnings: string[] = [];
  for (const line of lines) {
    const [, lost, where] = LOST.exec(line) ?? [];
    const skipped = SKIPPED.exec(line)?.[1];
    if (lost !== undefined && /^the kernel ran no program at (their|its) end$/.test(where ?? "")) {
      unseen += Number(lost);
    } else if (lost !== undefined) other += Number(lost);
    else if (skipped !== undefined) skippedRuns += Number(skipped);
    else warnings.push(line);
  }
  return { unseen, other, skippedRuns, warnings };
}
