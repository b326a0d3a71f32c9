/** What queues of one exporter counted, one after the other. */
import type { QueueStats } from "../telemetry/health.ts";

/** Adds up what two queues of one exporter counted; their sizes are those of the newer one. */
export function addStats(newer: QueueStats, older: QueueStats | undefined): QueueStats {
  const { id, length, capacity, inFlight, diskBytes, diskLimit } = newer;
  const counters = { ...newer.counters };
  if (older !== undefined) {
    for (const name of Object.keys(counters) as (keyof typeof counters)[]) {
      counters[name] += older.counters[name];
    }
  }
  return {
    id,
    counters,
    length: length + (older?.length ?? 0),
    capacity,
    inFlight: inFlight + (older?.inFlight ?? 0),
    diskBytes: diskBytes + (older?.diskBytes ?? 0),
    diskLimit,
  };
}
