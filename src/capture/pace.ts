/** How long a reader of the ring sleeps under load. */

// A reader that has caught up sleeps without a timer.
const LEAST_MS = 10;
const MOST_MS = 100;
const PEAK = 30_000; // bytes a millisecond that may come unexpectedly: 100,000 records a second
const FILL = 1 / 16; // of the ring, between two readings

/**
 * The time in which a part of the ring fills up at the recent rate, and at most the time in which a
 * quarter of it fills up at the peak rate.
 */
export class Pace {
  readonly #fill: number; // bytes
  readonly #most: number; // milliseconds
  #read = performance.now();

  /** @param size of the ring, bytes */
  constructor(size: number) {
    this.#fill = size * FILL;
    this.#most = Math.max(LEAST_MS, Math.min(size / 4 / PEAK, MOST_MS));
  }

  /** @param bytes read just now. @returns milliseconds until the next time */
  next(bytes: number): number {
    const now = performance.now();
    const perMs = bytes / (now - this.#read);
    this.#read = now;
    return Math.min(Math.max(this.#fill / perMs, LEAST_MS), this.#most);
  }
}
