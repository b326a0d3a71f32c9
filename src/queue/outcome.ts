/** The outcomes of a queue's exports. */
import type { ExportOutcome } from "../exporter.ts";
import type { QueueCounters } from "./counters.ts";
import type { QueueNotices } from "./notices.ts";

type Success = Extract<ExportOutcome, { status: "success" }>;
type Failure = Extract<ExportOutcome, { status: "failure" }>;

/** Counts and reports how the exports of a queue end. */
export class Outcomes {
  readonly #counters: QueueCounters;
  readonly #notices: QueueNotices;
  #unfinished: string[] = []; // the reason, for each session that a failed export took in part
  #isFailing = false;

  constructor(counters: QueueCounters, notices: QueueNotices) {
    this.#counters = counters;
    this.#notices = notices;
  }

  /** Whether the destination was busy, and has taken nothing since. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  /** Sessions that were taken in part, and whose rest will follow. */
  get unfinished(): number {
    return this.#unfinished.length;
  }

  /** An export of `sessions` was taken. */
  succeeded({ rejected = 0, message }: Success, sessions: number): void {
    const lost = Math.min(rejected, sessions);
    this.#counters.exported += sessions - lost;
    if (this.#isFailing) this.#notices.recovered();
    this.#isFailing = false;
    if (lost > 0) {
      this.#counters.failed += lost;
      this.#counters.rejected += lost;
      const reason = `rejected: ${message ?? "no reason given"}`;
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

  /** An export will be tried again. @param place where sessions wait meanwhile */
  retrying(reason: string, place: string): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#notices.retrying(reason, place);
  }

  /** `sessions` were given up on. */
  lost(sessions: number, reason: string): void {
    this.#counters.failed += sessions;
    const { failed, rejected } = this.#counters;
    this.#notices.lost(failed - rejected, reason, "not_delivered");
  }

  /** The exporter was replaced, and nothing is known of the new one. */
  forget(): void {
    this.#isFailing = false;
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
