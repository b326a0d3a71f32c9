/** From the capture to the exporters, and an orderly end. */
import type { SessionBatch } from "./batch.ts";
import type { Capture } from "./capture/capture.ts";
import { Limiter, NOTICE_INTERVAL_MS } from "./limiter.ts";
import { countSessions, say } from "./messages.ts";
import type { ExporterQueue } from "./queue/queue.ts";

const CLOSE_TIMEOUT_MS = 5000;
const RING_FULL = "the ring buffer was full (capture.ring_buffer)";
const OVER_CAP = "over the cap (capture.max_sessions_per_second)";

/**
 * Hands each batch of `capture` to every queue until the capture stops, then closes the queues.
 * Upstream stops first, so that each stage can drain.
 * @param observe sees each batch before the queues do
 * @returns number of sessions captured
 */
export async function pump(
  capture: Capture,
  queues: readonly ExporterQueue[],
  observe: (batch: SessionBatch) => void,
): Promise<number> {
  const look = new Limiter(1000);
  const notice = new Limiter(NOTICE_INTERVAL_MS);
  let sessions = 0;
  let told = 0; // losses
  for await (using batch of capture) {
    sessions += batch.length;
    observe(batch);
    for (const queue of queues) queue.push(batch);
    if (!look.allows()) continue;
    const { ringFull, overCap } = capture.losses();
    if (ringFull + overCap === told || !notice.allows()) continue;
    told = ringFull + overCap;
    for (const [count, place] of [[ringFull, RING_FULL], [overCap, OVER_CAP]] as const) {
      if (count > 0) say(`lost ${countSessions(count)} until now: ${place}`);
    }
  }
  await closeAll(queues);
  return sessions;
}

/** Closes all queues at once. */
export async function closeAll(queues: readonly ExporterQueue[]): Promise<void> {
  await Promise.all(queues.map((queue) => queue.close(CLOSE_TIMEOUT_MS)));
}

/** What was lost on the way, one line for each place; empty if nothing was. */
export function describeLosses(capture: Capture, queues: readonly ExporterQueue[]): string[] {
  const { ringFull, storageFailed, overCap, unseen, skippedRuns } = capture.losses();
  const losses: [number, string][] = [
    [ringFull, RING_FULL],
    [storageFailed, "the kernel had no memory for a socket's state"],
    [overCap, OVER_CAP],
    [unseen, "the kernel ran no program at their end"],
    ...queues.flatMap(({ id, counters }): [number, string][] => [
      [counters.dropped, `${id}: its queue was full`],
      [counters.failed, `${id}: not delivered`],
      [counters.corrupt, `${id}: damaged on disk`],
    ]),
  ];
  const lines = losses.filter(([count]) => count > 0)
    .map(([count, place]) => `lost ${countSessions(count)}: ${place}`);
  if (skippedRuns > 0) {
    lines.push(
      `${skippedRuns} state changes were not seen: the kernel skips a program that interrupts ` +
        "itself; their sessions were reported from what followed",
    );
  }
  return lines;
}
