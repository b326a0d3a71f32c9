/** Time that passes evenly, and timers in it. */

/** Where time and timers come from; tests have one whose time they set. */
export interface Clock {
  /** Milliseconds since a fixed moment; a step of the wall clock does not change them. */
  now(): number;
  /** Calls `then` once after `ms` milliseconds, unless disposed of before. */
  setTimeout(then: () => void, ms: number): Disposable;
}

/** The system's clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (then, ms) => setTimeout(then, ms),
};
