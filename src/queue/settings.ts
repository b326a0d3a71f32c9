/** What `sending_queue` and `retry_on_failure` mean. */
import type { QueueSettings, RetrySettings, WhenFull } from "../exporter.ts";

/** `sending_queue`, checked. */
export interface SendingQueue {
  readonly enabled: boolean;
  readonly queue_size: number;
  readonly num_consumers?: number;
  readonly when_full: WhenFull;
  readonly storage?: string | undefined;
  readonly persistent: boolean;
  readonly max_bytes: number;
}

/** `retry_on_failure`, checked; times are milliseconds. */
export interface RetryOnFailure {
  readonly enabled: boolean;
  readonly initial_interval: number;
  readonly max_interval: number;
  readonly max_elapsed_time: number;
}

/** @param batch sessions in one export at most, and milliseconds that a small batch waits for more */
export function queueSettings(
  queue: SendingQueue,
  retry: RetryOnFailure | undefined,
  { batchSize, linger }: Pick<QueueSettings, "batchSize" | "linger">,
): QueueSettings {
  return {
    queueSize: queue.enabled ? queue.queue_size : batchSize,
    whenFull: queue.when_full,
    storage: queue.storage === undefined ? undefined : {
      folder: queue.storage,
      persistent: queue.persistent,
      maxBytes: queue.max_bytes,
    },
    consumers: queue.enabled ? queue.num_consumers ?? 1 : 1,
    batchSize,
    linger,
    retry: retry?.enabled ? retrySettings(retry) : undefined,
  };
}

function retrySettings(retry: RetryOnFailure): RetrySettings {
  return {
    initialInterval: retry.initial_interval,
    maxInterval: retry.max_interval,
    maxElapsedTime: retry.max_elapsed_time,
  };
}
