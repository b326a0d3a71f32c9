const WINDOW_MS = 60_000;

/**
 * The largest recent value: of the current minute and of the one before it, so that each of several
 * readers sees a peak, however often it reads.
 */
export class RecentMaximum {
  #began = performance.now();
  #last = 0;
  #current = 0;

  add(value: number): void {
    this.#roll();
    if (value > this.#current) this.#current = value;
  }

  /** 0 if nothing was added recently. */
  get value(): number {
    this.#roll();
    return Math.max(this.#last, this.#current);
  }

  #roll(): void {
    const elapsed = performance.now() - this.#began;
    if (elapsed < WINDOW_MS) return;
    this.#last = elapsed < 2 * WINDOW_MS ? this.#current : 0;
    this.#current = 0;
    this.#began += Math.floor(elapsed / WINDOW_MS) * WINDOW_MS;
  }
}
