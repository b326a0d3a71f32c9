/** What a spool says to the user, no more often than once a minute of each kind. */
import { UsageError } from "../errors.ts";
import { Limiter, NOTICE_INTERVAL_MS } from "../limiter.ts";
import { isSystemError, systemReason } from "../system_error.ts";

/** The messages of one spool. What is no error of the operating system is thrown on. */
export class SpoolNotices {
  readonly #path: string;
  readonly #warn: (message: string) => void;
  readonly #fault = new Limiter(NOTICE_INTERVAL_MS);
  readonly #cleaning = new Limiter(NOTICE_INTERVAL_MS);
  readonly #damage = new Limiter(NOTICE_INTERVAL_MS);
  #isFaultTold = false;

  /** @param path of the spool */
  constructor(path: string, warn: (message: string) => void) {
    this.#path = path;
    this.#warn = warn;
  }

  /** Sessions cannot be written. */
  fault(error: unknown): void {
    const reason = reasonOf(error);
    if (this.#isFaultTold || !this.#fault.allows()) return;
    this.#isFaultTold = true;
    this.#warn(
      `cannot write to ${this.#path}: ${reason}; until it can be written again, sessions are kept ` +
        "in memory as far as sending_queue.queue_size allows",
    );
  }

  /** They can be written. */
  recovered(): void {
    if (!this.#isFaultTold) return;
    this.#isFaultTold = false;
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

  /** `bytes` in the file at `path` are no whole frame. */
  damaged(path: string, offset: number, bytes: number): void {
    if (!this.#damage.allows()) return;
    this.#warn(`${path}: ${bytes} bytes at ${offset} are damaged; what is whole is delivered`);
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
