/** Spans of wall-clock time in which something happened. */
import type { Stamps } from "../kernel/actor.ts";

/** Nanoseconds since the Unix epoch. */
export interface Window {
  readonly from: bigint;
  readonly to: bigint;
}

/** How much the times of spans may differ from the truth: docs/span.md. */
export const TOLERANCE_NS = 100_000n;

/** The time of a system call. */
export function around(stamps: Stamps): Window {
  return { from: stamps.wall_before_ns, to: stamps.wall_after_ns };
}

/** From the start of `first` to the latest end. */
export function across(first: Window, ...later: readonly (Window | undefined)[]): Window {
  let { to } = first;
  for (const window of later) if (window !== undefined && window.to > to) to = window.to;
  return { from: first.from, to };
}

/** From the start of `first` until now. */
export function untilNow(first: Window): Window {
  return { from: first.from, to: BigInt(Date.now() + 1) * 1_000_000n };
}

/** Runs `work`. @returns when, by a clock of whole milliseconds */
export async function timed(work: () => Promise<unknown>): Promise<Window> {
  const from = BigInt(Date.now()) * 1_000_000n;
  await work();
  return { from, to: BigInt(Date.now() + 1) * 1_000_000n };
}
