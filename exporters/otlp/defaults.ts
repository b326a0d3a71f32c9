import { RETRY_ON_FAILURE, SENDING_QUEUE } from "../../src/queue/defaults.ts";

/** Default settings of the otlp exporter; times are milliseconds. */
export const DEFAULTS = {
  tls: { insecure_skip_verify: false },
  sending_queue: { ...SENDING_QUEUE, num_consumers: 4 },
  retry_on_failure: RETRY_ON_FAILURE,
};
