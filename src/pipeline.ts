/** From the capture to the exporters, and an orderly end. */
import type { SessionBatch } from "./batch.ts";
import type { Capture } from "./capture/capture.ts";
import { Limiter, NOTICE_INTERVAL_MS } from "./limiter.ts";
import { log } from "./log.ts";
import { countSessions } from "./messages.ts";
import type { ExporterQueue } from "./queue/queue.ts";
import { LOSS_PLACES } from "./telemetry/losses.ts";

const CLOSE_TIMEOUT_MS = 5000;

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
    for (
      const [sessions, place] of [
        [ringFull, "ring_full"],
        [overCap, "over_cap"],
      ] as const
    ) {
      if (sessions === 0) continue;
      log.warn(`lost ${countSessions(sessions)} until now: ${LOSS_PLACES[place]}`, {
        sessions,
        place,
      });
    }
  }
  await closeAll(queues);
  return sessions;
}

/** Closes all queues at once. */
export async function closeAll(queues: readonly ExporterQueue[]): Promise<void> {
  await Promise.all(queues.map((queue) => queue.close(CLOSE_TIMEOUT_MS)));
}
