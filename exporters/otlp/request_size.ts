/** How much goes into one request. */

const GROW_AFTER_MS = 10 * 60_000;

/**
 * What one destination takes. A request that was refused as too large is halved until it goes
 * through; that size is remembered, and doubled every ten minutes, because limits are raised too:
 * the price is one more refused request. Sizes are before compression, whatever the server counts.
 */
export class RequestSize {
  readonly #most: number;
  readonly #now: () => number;
  #bytes: number;
  #since = 0; // when #bytes changed last
  #spanBytes = 0; // on average, in the last request that did not hold a whole batch

  /**
   * @param most bytes, whatever goes through
   * @param now milliseconds of a clock that never goes back
   */
  constructor(most: number, now: () => number = () => performance.now()) {
    this.#most = this.#bytes = most;
    this.#now = now;
  }

  /** Bytes that a request may have now. */
  get bytes(): number {
    if (this.#bytes < this.#most && this.#now() - this.#since >= GROW_AFTER_MS) {
      this.#change(Math.min(2 * this.#bytes, this.#most));
    }
    return this.#bytes;
  }

  /** How many of `waiting` sessions to put into a request of `bytes`: all, or equal parts. */
  sessionsIn(bytes: number, waiting: number): number {
    if (waiting * this.#spanBytes <= bytes) return waiting;
    const most = Math.max(1, Math.floor(bytes / this.#spanBytes));
    return Math.ceil(waiting / Math.ceil(waiting / most));
  }

  /** A request of `bytes` with `sessions`, which are a part of a batch or must be. */
  measure(bytes: number, sessions: number): void {
    this.#spanBytes = bytes / sessions;
  }

  /** Something larger was refused, and a request of at most `bytes` went through. */
  remember(bytes: number): void {
    if (bytes < this.#bytes) this.#change(bytes);
  }

  #change(bytes: number): void {
    this.#bytes = bytes;
    this.#since = this.#now();
  }
}
