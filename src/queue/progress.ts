/** How far a batch has come that is delivered in several tries. */
import type { ExportOutcome } from "../exporter.ts";
import type { SessionBatch } from "../session/batch.ts";

/** The outcome of sessions that were taken. */
export type Success = Extract<ExportOutcome, { status: "success" }>;
type Retryable = Extract<ExportOutcome, { status: "retryable" }>;

/** Sessions are taken from the front on. They are counted at the end: until then all may be left. */
export class Progress {
  /** Sessions that were taken, or rejected for good. */
  done = 0;
  /** The others. */
  rest: SessionBatch;
  #rejected = 0; // of those that are done
  #message: string | undefined;

  constructor(batch: SessionBatch) {
    this.rest = batch;
  }

  /** Takes in the outcome of a try. @returns whether it took sessions */
  advance({ done = 0, rejected = 0, message }: Retryable): boolean {
    const some = Math.min(done, this.rest.length);
    if (some === 0) return false;
    this.done += some;
    this.rest = this.rest.slice(some, this.rest.length);
    this.#message = this.#messageWith(rejected, message);
    this.#rejected += Math.min(rejected, some);
    return true;
  }

  /** The outcome of what is done. */
  get success(): Success {
    return this.with({ status: "success" });
  }

  /** The outcome of the whole batch, if the rest was taken. */
  with({ rejected = 0, message }: Success): Success {
    const said = this.#messageWith(rejected, message);
    return {
      status: "success",
      rejected: this.#rejected + rejected,
      ...(said === undefined ? {} : { message: said }),
    };
  }

  /** The first refusal says why sessions were lost; without one, the first message counts. */
  #messageWith(rejected: number, message: string | undefined): string | undefined {
    const isRefusal = rejected > 0 && this.#rejected === 0;
    return isRefusal ? message ?? this.#message : this.#message ?? message;
  }
}
