/** Waits between the tries of one export. */
import type { Clock } from "../clock.ts";
import type { RetrySettings } from "../exporter.ts";

/** Exponential backoff with jitter. */
export class Backoff {
  readonly #began: number;
  #interval: number;

  constructor(private readonly settings: RetrySettings | undefined, private readonly clock: Clock) {
    this.#began = clock.now();
    this.#interval = settings?.initialInterval ?? 0;
  }

  /** Milliseconds to wait; undefined to give up. `atLeast` is what the server asked for. */
  next(atLeast = 0): number | undefined {
    if (this.settings === undefined) return undefined;
    const { maxInterval, maxElapsedTime } = this.settings;
    const jittered = Math.min(this.#interval * (0.5 + Math.random()), maxInterval);
    this.#interval = Math.min(this.#interval * 1.5, maxInterval);
    const wait = Math.max(jittered, atLeast);
    const elapsed = this.clock.now() - this.#began;
    return maxElapsedTime > 0 && elapsed + wait > maxElapsedTime ? undefined : wait;
  }
}
