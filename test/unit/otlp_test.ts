/** The otlp exporter as a type: its queue, and what it loads. */
import { deepStrictEqual } from "node:assert/strict";
import { otlpExporter } from "../../exporters/otlp/otlp.ts";
import { otlpSettings } from "../../exporters/otlp/settings.ts";
import type { QueueSettings } from "../../src/exporter.ts";

Deno.test("otlpExporter.queue() follows sending_queue and retry_on_failure", () => {
  const defaults: QueueSettings = {
    queueSize: 100_000,
    whenFull: "drop_newest",
    storage: undefined,
    consumers: 4,
    batchSize: 4096,
    linger: 200,
    retry: { initialInterval: 1000, maxInterval: 30_000, maxElapsedTime: 0 },
  };
  const rows: readonly [settings: object, queue: QueueSettings][] = [
    [{}, defaults],
    [{ sending_queue: { queue_size: 10, num_consumers: 1 } }, {
      ...defaults,
      queueSize: 10,
      consumers: 1,
    }],
    [{ sending_queue: { enabled: false } }, { ...defaults, queueSize: 4096, consumers: 1 }],
    [{ sending_queue: { when_full: "drop_oldest", storage: "spool", max_bytes: "2MiB" } }, {
      ...defaults,
      whenFull: "drop_oldest",
      storage: { folder: "spool", persistent: false, maxBytes: 2 * 2 ** 20 },
    }],
    [{ retry_on_failure: { enabled: false } }, { ...defaults, retry: undefined }],
    [{ retry_on_failure: { initial_interval: "5s", max_elapsed_time: "1m" } }, {
      ...defaults,
      retry: { initialInterval: 5000, maxInterval: 30_000, maxElapsedTime: 60_000 },
    }],
  ];
  for (const [settings, queue] of rows) {
    deepStrictEqual(otlpExporter.queue(otlpSettings.parse(settings)), queue);
  }
});
