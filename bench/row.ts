/** A row of the table: what was measured, compared with what, and whether that is good enough. */
import { median, ratios } from "./statistics.ts";

/** What was measured, round by round. */
export interface Figures {
  /** What was measured, such as `tcplife`. */
  readonly of: string;
  readonly values: readonly number[];
}

/** What a figure must be, and the goal as text. */
export interface Goal {
  readonly text: string;
  /** @param ratio the median of tcpspan's figures over the peer's; NaN without a peer */
  readonly met: (value: number, ratio: number) => boolean;
}

/** One figure. */
export interface Row {
  readonly figure: string;
  readonly unit: string;
  readonly peer?: Figures;
  readonly tcpspan: readonly number[];
  /** Undefined if the figure is only for information. */
  readonly goal?: Goal;
  /** What a reader must know to understand it. */
  readonly note?: string;
}

/** The median of the rounds' ratios; NaN without a peer. */
export function ratioOf({ peer, tcpspan }: Row): number {
  return median(ratios(tcpspan, peer?.values ?? []));
}

/** Undefined if there is no goal, or nothing was measured. */
export function isMet(row: Row): boolean | undefined {
  const value = median(row.tcpspan);
  return row.goal === undefined || Number.isNaN(value)
    ? undefined
    : row.goal.met(value, ratioOf(row));
}

/** A goal for the figure itself. */
export function atMost(limit: number, text: string): Goal {
  return { text, met: (value) => value <= limit };
}

/** A goal for the ratio to the peer. */
export function ratioAtMost(limit: number, text: string): Goal {
  return { text, met: (_, ratio) => ratio <= limit };
}

/** A goal for the ratio to the peer. */
export function ratioAtLeast(limit: number, text: string): Goal {
  return { text, met: (_, ratio) => ratio >= limit };
}
