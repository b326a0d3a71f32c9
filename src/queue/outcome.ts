/** The outcomes of a queue's exports. */
import type { ExportOutcome } from "../exporter.ts";
import type { QueueCounters } from "./counters.ts";
import type { QueueNotices } from "./notices.ts";
import type { Success } from "./progress.ts";

type Failure = Extract<ExportOutcome, { status: "failure" }>;

/** Counts and reports how the exports of a queue end. */
export class Outcomes {
  readonly #counters: QueueCounters;
  readonly #notices: QueueNotices;
  #unfinished: string[] = []; // the reason, for each session that a failed export took in part
  #isFailing = false;
  #isUnavailable = false; // when it was asked
  #hasTaken = false;
  #failure: string | undefined;

  constructor(counters: QueueCounters, notices: QueueNotices) {
    this.#counters = counters;
    this.#notices = notices;
  }

  /** Whether the destination was busy, and has taken nothing since. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  /** Why the destination took nothing when it was tried last; undefined if it did, or was not tried. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Sessions that were taken in part, and whose rest will follow. */
  get unfinished(): number {
    return this.#unfinished.length;
  }

  /**
   * An export of `sessions` was taken.
   * @param destination where they went, if that has words
   */
  succeeded(success: Success, sessions: number, destination: string | undefined): void {
    const isTaken = (success.rejected ?? 0) < sessions;
    if (this.#isFailing) this.#notices.recovered();
    else if (!this.#hasTaken && isTaken && destination !== undefined) {
      this.#notices.delivering(destination);
    }
    this.#isFailing = this.#isUnavailable = false;
    this.count(success, sessions);
  }

  /** `sessions` were taken, whatever becomes of the rest of their batch. */
  count({ rejected = 0, message }: Success, sessions: number): void {
    const lost = Math.min(rejected, sessions);
    this.#counters.exported += sessions - lost;
    if (lost < sessions) {
      this.#hasTaken = true;
      this.#failure = undefined;
    }
    if (lost > 0) {
      this.#counters.failed += lost;
      this.#counters.rejected += lost;
      const reason = `rejected: ${message ?? "no reason given"}`;
      if (lost === sessions) this.#failure = reason;
      this.#notices.lost(this.#counters.rejected, reason, "rejected");
    } else if (message !== undefined) this.#notices.advice(message);
  }

  /** An export of `sessions` was refused, but some of them may have been taken. */
  failed({ reason, delivered = 0, unfinished }: Failure, sessions: number): void {
    const taken = Math.min(delivered, sessions);
    this.#counters.exported += taken;
    let lost = sessions - taken;
    if (unfinished !== undefined && lost > 0) {
      lost--;
      this.#follow(unfinished, reason);
    }
    if (lost > 0) this.lost(lost, reason);
  }

  /**
   * The destination was asked, without sessions, whether it would take some.
   * @param place where sessions will wait if it does not answer; undefined if none are tried again
   */
  asked(outcome: ExportOutcome, place: string | undefined): void {
    if (outcome.status === "success" || this.#isFailing || this.#hasTaken) return;
    this.#failure = outcome.reason;
    if (outcome.status === "failure" || place === undefined) {
      return this.#notices.unwilling(outcome.reason);
    }
    this.#isUnavailable = true;
    this.#notices.unavailable(outcome.reason, place);
  }

  /** An export will be tried again. @param place where sessions wait meanwhile */
  retrying(reason: string, place: string): void {
    this.#failure = reason;
    if (this.#isFailing) return;
    this.#isFailing = true;
    if (!this.#isUnavailable) this.#notices.retrying(reason, place);
  }

  /** `sessions` were given up on. */
  lost(sessions: number, reason: string): void {
    this.#failure = reason;
    this.#counters.failed += sessions;
    const { failed, rejected } = this.#counters;
    this.#notices.lost(failed - rejected, reason, "not_delivered");
  }

  /** The exporter was replaced, and nothing is known of the new one. */
  forget(): void {
    this.#isFailing = this.#isUnavailable = false;
    this.#hasTaken = false;
    this.#failure = undefined;
  }

  /** The rest of sessions taken in part will not follow any more. */
  close(): void {
    for (const reason of this.#unfinished.splice(0)) this.lost(1, reason);
  }

  /** Counts a session as delivered once `unfinished` resolves. */
  #follow(unfinished: Promise<void>, reason: string): void {
    this.#unfinished.push(reason);
    this.#notices.unfinished(reason);
    unfinished.then(() => {
      if (this.#unfinished.shift() === undefined) return; // too late: already counted as lost
      this.#counters.exported++;
    });
  }
}
