/** When reports that still wait for their sockets' close are delivered without it. */

/** Calls once for everything announced until then. Disposing of it stops it. */
export class ReleaseTimer implements Disposable {
  readonly #waitMs: number;
  readonly #due: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #again = false;

  /**
   * @param waitMs milliseconds from an announcement to the call, which may take twice that
   * @param due called after that time
   */
  constructor(waitMs: number, due: () => void) {
    this.#waitMs = waitMs;
    this.#due = due;
  }

  /** Notes that something waits from now on. */
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
