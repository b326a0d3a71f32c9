/**
 * What a spool reports to the user: each kind at most once a minute, and once for each segment that
 * is damaged.
 */
import type { Clock } from "../../clock.ts";
import { UsageError } from "../../messages/errors.ts";
import { Limiter, NOTICE_INTERVAL_MS } from "../../messages/limiter.ts";
import { isSystemError, systemReason } from "../../messages/system_error.ts";
import { count } from "../../messages/words.ts";

/** The messages of one spool. An error that is not the operating system's is thrown again. */
export class SpoolNotices {
  readonly #path: string;
  readonly #warn: (message: string) => void;
  readonly #fault: Limiter;
  readonly #cleaning: Limiter;
  readonly #damage: Limiter;
  #isFaultReported = false;
  // of the segment that is read
  #places = 0;
  #damagedBytes = 0;
  #isAllReported = true;

  /** @param path of the spool */
  constructor(path: string, warn: (message: string) => void, clock: Clock) {
    this.#path = path;
    this.#warn = warn;
    this.#fault = new Limiter(NOTICE_INTERVAL_MS, clock);
    this.#cleaning = new Limiter(NOTICE_INTERVAL_MS, clock);
    this.#damage = new Limiter(NOTICE_INTERVAL_MS, clock);
  }

  /** Sessions cannot be written. */
  fault(error: unknown): void {
    const reason = reasonOf(error);
    if (this.#isFaultReported || !this.#fault.allows()) return;
    this.#isFaultReported = true;
    this.#warn(
      `cannot write to ${this.#path}: ${reason}; until it can be written again, sessions are kept ` +
        "in memory as far as sending_queue.queue_size allows",
    );
  }

  /** They can be written. */
  recovered(): void {
    if (!this.#isFaultReported) return;
    this.#isFaultReported = false;
    this.#warn(`${this.#path} can be written again`);
  }

  /** What is done cannot be removed, or noted as done. */
  cannotClean(error: unknown): void {
    const reason = reasonOf(error);
    if (!this.#cleaning.allows()) return;
    this.#warn(
      `cannot write to ${this.#path}: ${reason}; what was delivered may be delivered again after a ` +
        "restart",
    );
  }

  /** `bytes` in the file at `path`, which is read, are not a whole frame. */
  damaged(path: string, offset: number, bytes: number): void {
    this.#places++;
    this.#damagedBytes += bytes;
    if (!this.#damage.allows()) {
      this.#isAllReported = false;
      return;
    }
    this.#warn(
      `${path}: ${count(bytes, "byte")} at ${offset} ${
        bytes === 1 ? "is" : "are"
      } damaged; what is whole is delivered`,
    );
  }

  /** Reading the file at `path` has ended: reports all damage, unless each place was reported. */
  ended(path: string): void {
    if (!this.#isAllReported) {
      const places = this.#places === 1 ? "one place" : `${this.#places} places`;
      this.#warn(`${path}: ${this.#damagedBytes} bytes in ${places} are damaged`);
    }
    this.#places = this.#damagedBytes = 0;
    this.#isAllReported = true;
  }

  cannotRead(path: string, error: unknown): void {
    const reason = reasonOf(error);
    if (this.#damage.allows()) this.#warn(`cannot read ${path}: ${reason}`);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof UsageError) return error.message;
  if (error instanceof Deno.errors.NotFound) return "it was removed";
  if (isSystemError(error)) return systemReason(error);
  throw error;
}
