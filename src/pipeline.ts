/** From the capture to the exporters, and an orderly end. */
import { onAbort } from "./abort.ts";
import type { SessionBatch } from "./batch.ts";
import type { Capture } from "./capture/capture.ts";
import { Limiter, NOTICE_INTERVAL_MS } from "./limiter.ts";
import { log, type LogFields } from "./log.ts";
import { countSessions } from "./messages.ts";
import type { ExporterQueue } from "./queue/queue.ts";

const RING_FULL = "the ring buffer was full (capture.ring_buffer)";
const OVER_CAP = "over the cap (capture.max_sessions_per_second)";

/** Something that was lost on the way: a message, and what it is about. */
interface Loss {
  readonly message: string;
  readonly fields: LogFields;
}

/**
 * Hands each batch of `capture` to every queue that `exporters` has by then, until the capture
 * stops.
 * @param observe sees each batch before the queues do
 * @returns number of sessions captured
 */
export async function pump(
  capture: Capture,
  exporters: { readonly queues: readonly ExporterQueue[] },
  observe: (batch: SessionBatch) => void,
): Promise<number> {
  const look = new Limiter(1000);
  const notice = new Limiter(NOTICE_INTERVAL_MS);
  let sessions = 0;
  let told = 0; // losses
  for await (using batch of capture) {
    sessions += batch.length;
    observe(batch);
    for (const queue of exporters.queues) queue.push(batch);
    if (!look.allows()) continue;
    const { ringFull, overCap } = capture.losses();
    if (ringFull + overCap === told || !notice.allows()) continue;
    told = ringFull + overCap;
    for (
      const [sessions, place, reason] of [
        [ringFull, "ring_full", RING_FULL],
        [overCap, "over_cap", OVER_CAP],
      ] as const
    ) {
      if (sessions === 0) continue;
      log.warn(`lost ${countSessions(sessions)} until now: ${reason}`, { sessions, place });
    }
  }
  return sessions;
}

/**
 * Closes all queues at the same time.
 * @param timeoutMs milliseconds that they have to deliver what waits
 * @param leave ends that time when it aborts
 */
export async function closeAll(
  queues: readonly ExporterQueue[],
  timeoutMs: number,
  leave: AbortSignal,
): Promise<void> {
  const closed = Promise.all(queues.map((queue) => queue.close(timeoutMs)));
  using _hurry = onAbort(leave, () => queues.forEach((queue) => queue.close(0)));
  await closed;
}

/** What became of the sessions that were to go to one exporter. */
export type Tally = Pick<ExporterQueue, "id" | "counters" | "length">;

/** What was lost on the way, one for each place; empty if nothing was. */
export function describeLosses(capture: Capture, tallies: readonly Tally[]): Loss[] {
  const { ringFull, storageFailed, overCap, unseen, skippedRuns } = capture.losses();
  const places: [sessions: number, place: string, reason: string, exporter?: string][] = [
    [ringFull, "ring_full", RING_FULL],
    [storageFailed, "storage_failed", "the kernel had no memory for a socket's state"],
    [overCap, "over_cap", OVER_CAP],
    [unseen, "unseen", "the kernel ran no program at their end"],
    ...tallies.flatMap(({ id, counters }): typeof places => [
      [counters.dropped, "queue_full", `${id}: its queue was full`, id],
      [counters.failed, "not_delivered", `${id}: not delivered`, id],
      [counters.corrupt, "corrupt", `${id}: damaged on disk`, id],
    ]),
  ];
  const losses = places.filter(([sessions]) => sessions > 0)
    .map(([sessions, place, reason, exporter]): Loss => ({
      message: `lost ${countSessions(sessions)}: ${reason}`,
      fields: { ...(exporter === undefined ? {} : { exporter }), sessions, place },
    }));
  if (skippedRuns > 0) {
    losses.push({
      message: `${skippedRuns} state changes were not seen: the kernel skips a program that ` +
        "interrupts itself; their sessions were reported from what followed",
      fields: { place: "skipped_runs" },
    });
  }
  return losses;
}
