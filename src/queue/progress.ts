/** How far a batch has come that is delivered in several tries, or in several parts. */
import type { ExportOutcome } from "../exporter.ts";
import type { SessionBatch } from "../session/batch.ts";

/** The outcome of sessions that were taken. */
export type Success = Extract<ExportOutcome, { status: "success" }>;
type Retryable = Extract<ExportOutcome, { status: "retryable" }>;

/** Sessions are done from the front on: taken, or rejected for good. */
export class Progress {
  /** Sessions that are done. */
  done = 0;
  /** The others. */
  rest: SessionBatch;
  #rejected = 0; // of those that are done
  #message: string | undefined;

  constructor(batch: SessionBatch) {
    this.rest = batch;
  }

  /**
   * The first `sessions` of the rest are done, of which `rejected` were rejected. The message of the
   * first rejection says why sessions were lost; without a rejection, the first message counts.
   */
  advance(sessions: number, rejected = 0, message?: string): void {
    this.done += sessions;
    this.rest = this.rest.slice(sessions, this.rest.length);
    const isFirst = rejected > 0 && this.#rejected === 0;
    this.#message = isFirst ? message ?? this.#message : this.#message ?? message;
    this.#rejected += Math.min(rejected, sessions);
  }

  /** Takes in what a try has done before it was interrupted. @returns whether that was anything */
  interrupt({ done = 0, rejected, message }: Retryable): boolean {
    const some = Math.min(done, this.rest.length);
    if (some > 0) this.advance(some, rejected, message);
    return some > 0;
  }

  /** What was said of those that are done. */
  get said(): Omit<Success, "status"> {
    return {
      ...(this.#rejected === 0 ? {} : { rejected: this.#rejected }),
      ...(this.#message === undefined ? {} : { message: this.#message }),
    };
  }

  /** The outcome of those that are done. */
  get success(): Success {
    return { status: "success", ...this.said };
  }
}
