/** The queue in front of an otlp exporter. */
import type { QueueSettings } from "../../src/exporter.ts";
import type { OtlpSettings } from "./settings.ts";

/**
 * What `sending_queue` and `retry_on_failure` mean.
 * @param batch sessions in one export at most, and milliseconds that a small batch waits for more
 */
export function queueSettings(
  { sending_queue: queue, retry_on_failure: retry }: OtlpSettings,
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
