/** When reports that wait for their sockets' close are handed over all the same. */

/** Calls once for all that was announced until then. Disposing of it stops it. */
export class ReleaseTimer implements Disposable {
  readonly #waitMs: number;
  readonly #due: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #again = false;

  /**
   * @param waitMs milliseconds from an announcement to the call, or twice as many
   * @param due called once they are over
   */
  constructor(waitMs: number, due: () => void) {
    this.#waitMs = waitMs;
    this.#due = due;
  }

  /** Something waits since now. */
  announce(): void {
    if (this.#timer !== undefined) {
      this.#again = true;
      return;
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#due();
      if (!this.#again) return;
      this.#again = false; // what was announced since has not waited long enough
      this.announce();
    }, this.#waitMs);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
