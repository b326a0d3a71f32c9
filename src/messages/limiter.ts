/** Messages that would repeat. */
import { type Clock, systemClock } from "../clock.ts";

/** Lets one message through in each interval. */
export class Limiter {
  #last = -Infinity;

  constructor(private readonly intervalMs: number, private readonly clock: Clock = systemClock) {}

  /** Whether it is time for a message; if so, a new interval starts. */
  allows(): boolean {
    const now = this.clock.now();
    if (now - this.#last < this.intervalMs) return false;
    this.#last = now;
    return true;
  }
}

/** How often a loss that continues is reported. */
export const NOTICE_INTERVAL_MS = 60_000;
