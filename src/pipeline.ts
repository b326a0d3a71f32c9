/** From the capture to the exporters, and an orderly end. */
import type { Capture } from "./capture.ts";
import { countSessions } from "./messages.ts";
import type { ExporterQueue } from "./queue.ts";

const CLOSE_TIMEOUT_MS = 5000;

/**
 * Hands each batch of `capture` to every queue until the capture stops, then closes the queues.
 * Upstream stops first, so that each stage can drain.
 */
export async function pump(capture: Capture, queues: readonly ExporterQueue[]): Promise<number> {
  let sessions = 0;
  try {
    for await (const batch of capture) {
      sessions += batch.length;
      for (const queue of queues) queue.push(batch);
    }
  } finally {
    await Promise.all(queues.map((queue) => queue.close(CLOSE_TIMEOUT_MS)));
  }
  return sessions;
}

/** What was lost on the way, one line for each place; empty if nothing was. */
export function describeLosses(capture: Capture, queues: readonly ExporterQueue[]): string[] {
  const { ringFull, storageFailed } = capture.losses();
  const losses: [number, string][] = [
    [ringFull, "the ring buffer was full (capture.ring_buffer)"],
    [storageFailed, "the kernel had no memory for a socket's state"],
    ...queues.flatMap(({ id, counters }): [number, string][] => [
      [counters.dropped, `${id}: the queue was full (sending_queue.queue_size)`],
      [counters.failed, `${id}: not delivered`],
    ]),
  ];
  return losses.filter(([count]) => count > 0)
    .map(([count, place]) => `lost ${countSessions(count)}: ${place}`);
}
