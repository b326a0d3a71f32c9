/** Settings of the otlp exporter where nothing is said; times are milliseconds. */
export const DEFAULTS = {
  tls: { insecure_skip_verify: false },
  sending_queue: { enabled: true, queue_size: 100_000, num_consumers: 4 },
  retry_on_failure: {
    enabled: true,
    initial_interval: 1_000,
    max_interval: 30_000,
    max_elapsed_time: 0,
  },
};
