/** What was lost, place by place, in the words that messages and metrics share. */
import { count, countSessions } from "../messages/words.ts";
import type { LogFields } from "../messages/log.ts";
import type { Health } from "./health.ts";

/** Where sessions are lost: the name for machines, and the words of a message. */
export const LOSS_PLACES = {
  ring_full: "the ring buffer was full (capture.ring_buffer)",
  storage_failed: "the kernel had no memory for a socket's state",
  over_cap: "over the cap (capture.max_sessions_per_second)",
  unseen: "the kernel ran no program at their end",
  queue_full: "its queue was full",
  not_delivered: "not delivered",
  rejected: "rejected",
  corrupt: "not readable on disk",
} as const;

/** The words about a place where `sessions` were lost. */
export function describePlace(place: keyof typeof LOSS_PLACES, sessions: number): string {
  const words = LOSS_PLACES[place];
  return sessions === 1 ? words.replace("their end", "its end") : words;
}

/** Sessions lost at one place. */
export interface Loss {
  readonly place: keyof typeof LOSS_PLACES;
  /** The exporter whose queue lost them, if one did: others may have the same sessions. */
  readonly exporter?: string;
  readonly sessions: number;
  /** Whether it may be fewer. */
  readonly atMost?: true;
}

/** All places, also those without losses: a counter that exists from the start shows a rise. */
export function lossesOf({ losses, exporters }: Health): Loss[] {
  return [
    { place: "ring_full", sessions: losses.ringFull },
    { place: "storage_failed", sessions: losses.storageFailed },
    { place: "over_cap", sessions: losses.overCap },
    {
      place: "unseen",
      sessions: losses.unseen,
      ...(losses.unseenAtMost ? { atMost: true } : {}),
    },
    ...exporters.flatMap(({ id, dropped, failed, rejected, corrupt }): Loss[] => [
      { place: "queue_full", exporter: id, sessions: dropped },
      { place: "not_delivered", exporter: id, sessions: failed },
      { place: "rejected", exporter: id, sessions: rejected },
      { place: "corrupt", exporter: id, sessions: corrupt },
    ]),
  ];
}

/** A message about a loss, and its fields. */
export interface LossMessage {
  readonly message: string;
  readonly fields: LogFields;
}

/** One message for each place where something was lost; none if nothing was. */
export function describeLosses(health: Health): LossMessage[] {
  const messages = lossesOf(health).filter(({ sessions }) => sessions > 0)
    .map(({ place, exporter, sessions, atMost }): LossMessage => {
      const where = exporter === undefined ? "" : `${exporter}: `;
      return {
        message: `lost ${atMost ? "at most " : ""}${countSessions(sessions)}: ${where}${
          describePlace(place, sessions)
        }`,
        fields: { ...(exporter === undefined ? {} : { exporter }), sessions, place },
      };
    });
  const { skippedRuns } = health.losses;
  if (skippedRuns > 0) {
    messages.push({
      message: `${count(skippedRuns, "state change")} ${skippedRuns === 1 ? "was" : "were"} not ` +
        "seen: the kernel skips a program that interrupts itself; " +
        `${
          skippedRuns === 1 ? "its session was" : "their sessions were"
        } reported from what followed`,
      fields: { place: "skipped_runs" },
    });
  }
  return messages;
}
