/** What `sending_queue` and `retry_on_failure` hold if nothing is set; times are milliseconds. */

/** `sending_queue` of an exporter with one export under way at a time. */
export const SENDING_QUEUE = {
  enabled: true,
  queue_size: 100_000,
  when_full: "drop_newest" as const,
  persistent: false,
  max_bytes: 2 ** 30,
};

/** `retry_on_failure` */
export const RETRY_ON_FAILURE = {
  enabled: true,
  initial_interval: 1_000,
  max_interval: 30_000,
  max_elapsed_time: 0,
};
