/** Health as metrics: OpenTelemetry's own names where they fit, `tcpspan.*` for the rest. */
import type { Attributes, Meter, Observable } from "../../npm/opentelemetry/api.ts";
import {
  ATTR_ERROR_TYPE,
  ATTR_OTEL_COMPONENT_NAME,
  ATTR_OTEL_COMPONENT_TYPE,
  METRIC_OTEL_SDK_EXPORTER_SPAN_EXPORTED,
  METRIC_OTEL_SDK_EXPORTER_SPAN_INFLIGHT,
  METRIC_OTEL_SDK_PROCESSOR_SPAN_QUEUE_CAPACITY,
  METRIC_OTEL_SDK_PROCESSOR_SPAN_QUEUE_SIZE,
  METRIC_PROCESS_MEMORY_USAGE,
  METRIC_PROCESS_UPTIME,
} from "../../npm/opentelemetry/semantic_conventions.ts";
import type { Health } from "./health.ts";
import { lossesOf } from "./losses.ts";

/** Where sessions were lost: an attribute of `tcpspan.session.lost`. */
const ATTR_LOSS_PLACE = "tcpspan.loss.place";

/** The values of an instrument in a reading. */
type Observe = (health: Health) => Iterable<readonly [value: number, attributes?: Attributes]>;

/** docs/health.md explains each. Units are UCUM's. */
const INSTRUMENTS: readonly {
  readonly name: string;
  readonly kind: "counter" | "up-down counter" | "gauge";
  readonly unit: string;
  readonly description: string;
  readonly observe: Observe;
}[] = [
  {
    name: "tcpspan.session.captured",
    kind: "counter",
    unit: "{session}",
    description: "Sessions that came out of the kernel and went to the exporters' queues",
    observe: ({ captured }) => [[captured]],
  },
  {
    name: "tcpspan.session.sampled_out",
    kind: "counter",
    unit: "{session}",
    description: "Sessions that sampling left out",
    observe: ({ sampledOut }) => [[sampledOut]],
  },
  {
    name: "tcpspan.session.lost",
    kind: "counter",
    unit: "{session}",
    description: "Sessions that were seen and lost, by place",
    observe: (health) =>
      lossesOf(health).map(({ place, exporter, sessions }) => [sessions, {
        [ATTR_LOSS_PLACE]: place,
        ...(exporter === undefined ? {} : component(exporter)),
      }]),
  },
  {
    name: "tcpspan.capture.skipped_runs",
    kind: "counter",
    unit: "{run}",
    description: "Runs of a kernel program that the kernel skipped because it interrupted itself",
    observe: ({ losses }) => [[losses.skippedRuns]],
  },
  {
    name: "tcpspan.capture.lag",
    kind: "gauge",
    unit: "s",
    description: "Longest recent time from a session's end to its arrival in the program",
    observe: ({ lagSeconds }) => [[lagSeconds]],
  },
  {
    name: "tcpspan.ring.usage",
    kind: "up-down counter",
    unit: "By",
    description: "Bytes in the ring between kernel and program that wait to be read",
    observe: ({ ring }) => [[ring.waiting]],
  },
  {
    name: "tcpspan.ring.limit",
    kind: "up-down counter",
    unit: "By",
    description: "Size of the ring between kernel and program",
    observe: ({ ring }) => [[ring.size]],
  },
  {
    name: METRIC_OTEL_SDK_PROCESSOR_SPAN_QUEUE_SIZE,
    kind: "up-down counter",
    unit: "{span}",
    description: "Sessions that wait in an exporter's queue, in memory and on disk",
    observe: ({ exporters }) => exporters.map(({ id, queued }) => [queued, component(id)]),
  },
  {
    name: METRIC_OTEL_SDK_PROCESSOR_SPAN_QUEUE_CAPACITY,
    kind: "up-down counter",
    unit: "{span}",
    description: "Sessions that an exporter's queue has room for in memory, without its disk",
    observe: ({ exporters }) => exporters.map(({ id, capacity }) => [capacity, component(id)]),
  },
  {
    name: METRIC_OTEL_SDK_EXPORTER_SPAN_INFLIGHT,
    kind: "up-down counter",
    unit: "{span}",
    description: "Sessions in exports that are under way, or wait for their next try",
    observe: ({ exporters }) => exporters.map(({ id, inFlight }) => [inFlight, component(id)]),
  },
  {
    name: "tcpspan.queue.disk.corrupt",
    kind: "counter",
    unit: "By",
    description: "Bytes of an exporter's queue on disk that could not be read back",
    observe: ({ exporters }) =>
      exporters.map(({ id, corruptBytes }) => [corruptBytes, component(id)]),
  },
  {
    name: "tcpspan.queue.disk.usage",
    kind: "up-down counter",
    unit: "By",
    description: "Bytes of an exporter's queue on disk",
    observe: ({ exporters }) => exporters.map(({ id, diskBytes }) => [diskBytes, component(id)]),
  },
  {
    name: "tcpspan.queue.disk.limit",
    kind: "up-down counter",
    unit: "By",
    description: "Most bytes of an exporter's queue on disk, if it uses a disk",
    observe: ({ exporters }) =>
      exporters.flatMap(({ id, diskLimit }) =>
        diskLimit === 0 ? [] : [[diskLimit, component(id)] as const]
      ),
  },
  {
    name: "tcpspan.queue.restored",
    kind: "counter",
    unit: "{session}",
    description: "Sessions that an exporter's queue took over from an earlier run",
    observe: ({ exporters }) => exporters.map(({ id, restored }) => [restored, component(id)]),
  },
  {
    name: METRIC_OTEL_SDK_EXPORTER_SPAN_EXPORTED,
    kind: "counter",
    unit: "{span}",
    description: "Sessions whose export has finished: delivered, or with error.type",
    observe: ({ exporters }) =>
      exporters.flatMap(({ id, exported, rejected, failed }) => [
        [exported, component(id)],
        [rejected, { ...component(id), [ATTR_ERROR_TYPE]: "rejected" }],
        [failed, { ...component(id), [ATTR_ERROR_TYPE]: "not_delivered" }],
      ]),
  },
  {
    name: "tcpspan.exporter.retries",
    kind: "counter",
    unit: "{retry}",
    description: "Tries of exports after the first",
    observe: ({ exporters }) => exporters.map(({ id, retries }) => [retries, component(id)]),
  },
  {
    name: METRIC_PROCESS_UPTIME,
    kind: "gauge",
    unit: "s",
    description: "Time that the program has been tracing",
    observe: ({ uptimeSeconds }) => [[uptimeSeconds]],
  },
  {
    name: METRIC_PROCESS_MEMORY_USAGE,
    kind: "up-down counter",
    unit: "By",
    description: "Physical memory in use",
    observe: ({ memory }) => [[memory]],
  },
];

/** The exporter that a value is about. */
function component(id: string): Attributes {
  const [type = ""] = id.split("/", 1);
  return { [ATTR_OTEL_COMPONENT_NAME]: id, [ATTR_OTEL_COMPONENT_TYPE]: type };
}

/**
 * Makes the instruments.
 * @param read called once per collection; undefined while there is nothing to read
 */
export function addInstruments(meter: Meter, read: () => Health | undefined): void {
  const instruments = INSTRUMENTS.map(({ name, kind, unit, description, observe }) => ({
    instrument: create(meter, kind, name, { unit, description }),
    observe,
  }));
  meter.addBatchObservableCallback((result) => {
    const health = read();
    if (health === undefined) return;
    for (const { instrument, observe } of instruments) {
      for (const [value, attributes] of observe(health)) {
        result.observe(instrument, value, attributes);
      }
    }
  }, instruments.map(({ instrument }) => instrument));
}

function create(
  meter: Meter,
  kind: typeof INSTRUMENTS[number]["kind"],
  name: string,
  options: { readonly unit: string; readonly description: string },
): Observable {
  switch (kind) {
    case "counter":
      return meter.createObservableCounter(name, options);
    case "up-down counter":
      return meter.createObservableUpDownCounter(name, options);
    case "gauge":
      return meter.createObservableGauge(name, options);
  }
}
