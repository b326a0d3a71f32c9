/** `sending_queue` and `retry_on_failure`, as the Collector names them. */
import { z } from "zod";
import { duration } from "../../src/config/duration.ts";
import { integer } from "../../src/config/integer.ts";
import { section } from "../../src/config/section.ts";
import type { QueueSettings } from "../../src/exporter.ts";

/** `sending_queue`: sessions waiting for a slow or dead destination. */
export const sendingQueue = section({
  enabled: z.boolean("true or false").default(true)
    .describe("false: hold one batch at most, so that a slow destination loses sessions."),
  queue_size: integer(1, 100_000_000, "a number of sessions").default(100_000)
    .describe("Sessions held at most; what does not fit is dropped and counted."),
  num_consumers: integer(1, 1000, "a number of exports").default(4)
    .describe("Exports under way at once."),
}).describe("Sessions waiting for a slow or dead destination.");

function interval() {
  return duration().refine((ms) => ms > 0, "a duration above zero");
}

/** `retry_on_failure`: tries after one that may succeed later. */
export const retryOnFailure = section({
  enabled: z.boolean("true or false").default(true).describe("Try again."),
  initial_interval: interval().prefault("1s").describe("Wait before the second try."),
  max_interval: interval().prefault("30s").describe("Longest wait between two tries."),
  max_elapsed_time: duration().prefault("0s")
    .describe("Give a batch up after this long; 0s: never."),
}).describe("Tries after one that failed and may succeed later.");

/**
 * What the two sections mean for the queue in front of an exporter.
 * @param batch sessions in one export at most, and milliseconds that a small batch waits for more
 */
export function queueSettings(
  queue: z.output<typeof sendingQueue>,
  retry: z.output<typeof retryOnFailure>,
  batch: Pick<QueueSettings, "batchSize" | "linger">,
): QueueSettings {
  return {
    queueSize: queue.enabled ? queue.queue_size : batch.batchSize,
    consumers: queue.enabled ? queue.num_consumers : 1,
    batchSize: batch.batchSize,
    linger: batch.linger,
    retry: retry.enabled
      ? {
        initialInterval: retry.initial_interval,
        maxInterval: retry.max_interval,
        maxElapsedTime: retry.max_elapsed_time,
      }
      : undefined,
  };
}
