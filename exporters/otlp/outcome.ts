/** What an answer means for what was sent: the same for each signal. */
import type { ExportResponse } from "../../npm/opentelemetry/otlp_exporter_base.ts";
import type { ExportOutcome } from "../../src/exporter.ts";
import { Progress } from "../../src/queue/progress.ts";
import type { SessionBatch } from "../../src/session/batch.ts";

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
  readonly #progress: Progress;
  #isTaken = false; // any part

  constructor(batch: SessionBatch) {
    this.#progress = new Progress(batch);
  }

  /** What was neither taken nor refused yet. */
  get rest(): SessionBatch {
    return this.#progress.rest;
  }

  /** The next part, of so many sessions, was taken or refused. */
  add(outcome: Exclude<ExportOutcome, Retryable>, sessions: number): void {
    if (outcome.status === "success") {
      this.#isTaken = true;
      this.#progress.advance(sessions, outcome.rejected, outcome.message);
    } else {
      this.#progress.advance(sessions, sessions, outcome.reason);
    }
  }

  /** What became of the whole batch. */
  get outcome(): ExportOutcome {
    if (this.#isTaken) return this.#progress.success;
    return { status: "failure", reason: this.#progress.said.message ?? "" };
  }

  /** The next part was not taken now: it and what follows must be sent again, and nothing else. */
  interrupted(outcome: Retryable): ExportOutcome {
    const { done, said } = this.#progress;
    return done === 0 ? outcome : { ...outcome, done, ...said };
  }
}
