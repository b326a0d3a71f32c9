/** From the capture to the exporters, and an orderly end. */
import { onAbort } from "../abort.ts";
import type { SessionBatch } from "../session/batch.ts";
import type { Capture } from "../capture/capture.ts";
import { Limiter, NOTICE_INTERVAL_MS } from "../messages/limiter.ts";
import { log } from "../messages/log.ts";
import { countSessions } from "../messages/words.ts";
import type { ExporterQueue } from "../queue/queue.ts";
import { LOSS_PLACES } from "../telemetry/losses.ts";

/**
 * Hands each batch of `capture` to every queue that `exporters` has at that moment, until the
 * capture stops.
 * @param observe sees each batch before the queues do
 */
export async function pump(
  capture: Capture,
  exporters: { readonly queues: readonly ExporterQueue[] },
  observe: (batch: SessionBatch) => void,
): Promise<void> {
  const look = new Limiter(1000);
  const notice = new Limiter(NOTICE_INTERVAL_MS);
  let reported = 0; // losses
  for await (using batch of capture) {
    observe(batch);
    for (const queue of exporters.queues) queue.push(batch);
    if (!look.allows()) continue;
    const { ringFull, overCap } = capture.losses();
    if (ringFull + overCap === reported || !notice.allows()) continue;
    reported = ringFull + overCap;
    for (
      const [sessions, place] of [
        [ringFull, "ring_full"],
        [overCap, "over_cap"],
      ] as const
    ) {
      if (sessions === 0) continue;
      log.lost(`lost ${countSessions(sessions)} until now: ${LOSS_PLACES[place]}`, {
        sessions,
        place,
      });
    }
  }
}

/**
 * Closes all queues at the same time.
 * @param timeoutMs milliseconds that they may take to deliver what waits
 * @param leave aborts to end that time early
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
