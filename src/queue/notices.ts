/** What a queue says to the user, rate-limited. */
import type { Clock } from "../clock.ts";
import { messageOf } from "../messages/errors.ts";
import { Limiter, NOTICE_INTERVAL_MS } from "../messages/limiter.ts";
import type { Warn } from "../messages/log.ts";
import { withoutSecrets } from "../messages/secrets.ts";
import { countSessions, showDuration } from "../messages/words.ts";

/** The messages of one queue. */
export class QueueNotices {
  readonly #warn: Warn;
  readonly #inform: Warn;
  readonly #drop: Limiter;
  readonly #advice: Limiter;
  readonly #wait: Limiter;
  readonly #part: Limiter;
  readonly #loss: Limiter;

  /**
   * @param id the exporter's
   * @param inform takes a message that is not a warning
   */
  constructor(id: string, warn: Warn, inform: Warn, clock: Clock) {
    this.#warn = (message, fields) => warn(`${id}: ${message}`, fields);
    this.#inform = (message, fields) => inform(`${id}: ${message}`, fields);
    this.#drop = new Limiter(NOTICE_INTERVAL_MS, clock);
    this.#advice = new Limiter(NOTICE_INTERVAL_MS, clock);
    this.#wait = new Limiter(NOTICE_INTERVAL_MS, clock);
    this.#part = new Limiter(NOTICE_INTERVAL_MS, clock);
    this.#loss = new Limiter(NOTICE_INTERVAL_MS, clock);
  }

  /** @param destination that has taken the first sessions */
  delivering(destination: string): void {
    const shown = withoutSecrets(destination);
    this.#inform(`delivering to ${shown}`, { destination: shown });
  }

  /**
   * The destination was asked before there were sessions, and cannot take any now.
   * @param place where sessions will wait meanwhile
   */
  unavailable(reason: string, place: string): void {
    this.#warn(`${reason}; until it answers, ${place}`);
  }

  /** The destination was asked before there were sessions, and would refuse them. */
  unwilling(reason: string): void {
    this.#warn(`${reason}; sessions would be lost`);
  }

  /** @param place where sessions wait meanwhile */
  retrying(reason: string, place: string): void {
    this.#warn(`${reason}; trying again, ${place}`);
  }

  /** @param ms how long the destination asks for no try, which is longer than the settings say */
  askedToWait(ms: number): void {
    if (this.#wait.allows()) this.#warn(`the server asks for ${showDuration(ms)} without a try`);
  }

  recovered(): void {
    this.#warn("delivering again");
  }

  /** @param reason why a session was delivered in part */
  unfinished(reason: string): void {
    if (this.#part.allows()) this.#warn(`${reason}; the rest of a session will follow`);
  }

  /** Passes on the message of a destination that took everything. */
  advice(message: string): void {
    if (this.#advice.allows()) this.#warn(`the server says: ${message}`);
  }

  /** @param sessions all that were lost at this place until now, because of the destination */
  lost(sessions: number, reason: string, place: "not_delivered" | "rejected"): void {
    if (!this.#loss.allows()) return;
    this.#warn(`lost ${countSessions(sessions)} until now: ${reason}`, { sessions, place });
  }

  /** @param sessions all that were lost until now because there was no room */
  dropped(sessions: number): void {
    if (!this.#drop.allows()) return;
    const place = "queue_full";
    this.#warn(`lost ${countSessions(sessions)} until now: its queue is full`, { sessions, place });
  }

  cannotShutDown(error: unknown): void {
    this.#warn(`cannot shut down: ${messageOf(error)}`);
  }
}
