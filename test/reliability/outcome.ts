/** The result of a trial: whether made equals delivered plus counted as lost. */
import type { Sink } from "../../bench/sink.ts";
import { lossesOf } from "../e2e/losses.ts";

/** One trial. Counts are ends of sessions; each session has two. */
export interface Outcome {
  /** What was done. */
  readonly trial: string;
  readonly made: number;
  /** Distinct span ids that arrived. */
  readonly delivered: number;
  /** Spans that arrived once more, with the same id. */
  readonly duplicates: number;
  /** Lost ends by place, as tcpspan reports them. */
  readonly lost: readonly (readonly [place: string, count: number])[];
  /** What else to report, such as `memory: 80 to 85 MB`. */
  readonly notes: readonly string[];
  /** What is wrong besides the counts; empty if nothing is. */
  readonly objections: readonly string[];
}

/** Combines what was made, what the receiver counts and what tcpspan reports at its end. */
export async function outcomeOf(
  trial: string,
  { sessions, sink, stderr, notes = [], objections = [] }: {
    readonly sessions: number;
    readonly sink: Sink;
    readonly stderr: string;
    readonly notes?: readonly string[];
    readonly objections?: readonly string[];
  },
): Promise<Outcome> {
  const { matching, distinct } = await sink.count();
  return {
    trial,
    made: 2 * sessions,
    delivered: distinct,
    duplicates: matching - distinct,
    lost: lossesOf(stderr),
    notes,
    objections: [...objections, ...keptOf(stderr)],
  };
}

/** What is still kept, and should have been delivered by then. */
function keptOf(stderr: string): string[] {
  return [...stderr.matchAll(/^tcpspan: (.* keeps \d+ sessions? on disk)$/gm)]
    .map(([, kept = ""]) => kept);
}

/** Number of ends that tcpspan says were lost. */
export function counted({ lost }: Outcome): number {
  return lost.reduce((sum, [, count]) => sum + count, 0);
}

/** What is wrong with a trial; empty if nothing is. */
export function objectionsTo(outcome: Outcome): string[] {
  const { made, delivered, objections } = outcome;
  const missing = made - delivered;
  return missing === counted(outcome)
    ? [...objections]
    : [`${missing} of ${made} are missing, ${counted(outcome)} are counted as lost`, ...objections];
}
