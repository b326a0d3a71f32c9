/** What an answer means for what was sent: the same for each signal. */
import type { ExportResponse } from "../../npm/opentelemetry/otlp_exporter_base.ts";
import type { ExportOutcome } from "../../src/exporter.ts";

/** @param taken reads the body of an answer that says that the request was taken */
export function outcomeOf(
  response: ExportResponse,
  taken: (body: Uint8Array) => ExportOutcome,
): ExportOutcome {
  switch (response.status) {
    case "success":
      return response.data === undefined ? { status: "success" } : taken(response.data);
    case "retryable":
      return {
        status: "retryable",
        reason: response.error?.message ?? "", // our transports always give one
        ...(response.retryInMillis === undefined ? {} : { retryAfterMs: response.retryInMillis }),
      };
    case "failure":
      return { status: "failure", reason: response.error.message };
  }
}

type Retryable = Extract<ExportOutcome, { status: "retryable" }>;

/** The outcome of a batch that is sent in parts, from its first session on. */
export class Parts {
  /** Sessions in the parts that are done. */
  sessions = 0;
  #only: ExportOutcome | undefined; // while there is one part
  #rejected = 0;
  #message: string | undefined; // of the first that was refused, else of the first that says something
  #isTaken = false; // any part

  /** The next part was taken or refused. */
  add(outcome: Exclude<ExportOutcome, Retryable>, sessions: number): void {
    this.#only = this.sessions === 0 ? outcome : undefined;
    this.sessions += sessions;
    const isTaken = outcome.status === "success";
    if (isTaken) this.#isTaken = true;
    const rejected = isTaken ? outcome.rejected ?? 0 : sessions;
    const message = isTaken ? outcome.message : outcome.reason;
    const isRefusal = rejected > 0 && this.#rejected === 0;
    this.#message = isRefusal ? message ?? this.#message : this.#message ?? message;
    this.#rejected += rejected;
  }

  /** What became of the whole batch. */
  get outcome(): ExportOutcome {
    if (this.#only !== undefined) return this.#only;
    const message = this.#message;
    if (!this.#isTaken) return { status: "failure", reason: message ?? "" };
    return {
      status: "success",
      ...(this.#rejected === 0 ? {} : { rejected: this.#rejected }),
      ...(message === undefined ? {} : { message }),
    };
  }

  /** The next part was not taken now: it and what follows must be sent again, and nothing else. */
  interrupted(outcome: Retryable): ExportOutcome {
    if (this.sessions === 0) return outcome;
    return {
      ...outcome,
      done: this.sessions,
      ...(this.#rejected === 0 ? {} : { rejected: this.#rejected }),
      ...(this.#message === undefined ? {} : { message: this.#message }),
    };
  }
}
