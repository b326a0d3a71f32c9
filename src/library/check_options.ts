/** Checks options before anything is done with them. */
import {
  type CaptureOptions,
  isRingSize,
  SHORTEST_INTERIM_MS,
} from "../capture/capture_options.ts";
import { CGROUP, EXECUTABLE, isCgroup, isExecutable, isPin } from "../capture/names.ts";
import { LARGEST_PID, LARGEST_PORT, MOST_PIDS } from "../config/limits.ts";
import type { QueueSettings, RetrySettings, StorageSettings } from "../exporter.ts";
import {
  boolean,
  callback,
  checkOptions,
  integer,
  listOf,
  milliseconds,
  networks,
  objectOf,
  oneOf,
  type Rules,
  sampling,
  text,
} from "./option_rules.ts";
import type { OpenExporterOptions } from "./queue.ts";
import type { SpanOptions } from "./spans.ts";

const ports = listOf(integer(0, LARGEST_PORT, "a port"));
const pids = listOf(integer(1, LARGEST_PID, "a process id"));

const CAPTURE: Rules<CaptureOptions> = {
  pids: {
    expected: `${pids.expected}, ${MOST_PIDS} at most`,
    fits: (value) => pids.fits(value) && Array.isArray(value) && value.length <= MOST_PIDS,
  },
  localPorts: ports,
  remotePorts: ports,
  families: listOf(oneOf("ipv4", "ipv6")),
  includeCidrs: networks,
  excludeCidrs: networks,
  excludeExecutables: listOf(text(EXECUTABLE, isExecutable)),
  excludeCgroups: listOf(text(CGROUP, isCgroup)),
  minBytes: integer(0, Number.MAX_SAFE_INTEGER, "a number of bytes"),
  minDuration: milliseconds(0),
  maxSessionsPerSecond: integer(0, 2 ** 32 - 1, "a number"),
  sampling,
  ringBuffer: {
    expected: "a power of two from 262144 (256 KiB) to 1073741824 (1 GiB)",
    fits: (value) => typeof value === "number" && isRingSize(value),
  },
  existing: boolean,
  interim: milliseconds(SHORTEST_INTERIM_MS),
  reportOpenOnExit: boolean,
  ownTraffic: boolean,
  pin: text("the path of a folder such as /sys/fs/bpf/tcpspan, without dots", isPin),
  signal: { expected: "an AbortSignal", fits: (value) => value instanceof AbortSignal },
};

const SPANS: Rules<SpanOptions> = {
  key: text("text"),
  parent: oneOf("auto", "always", "never"),
  peers: networks,
  attributes: {
    expected: "an object, each member text, a number, true or false, or a list of those",
    fits: (value) =>
      typeof value === "object" && value !== null && !Array.isArray(value) &&
      Object.values(value).flat().every((one) =>
        ["string", "number", "boolean"].includes(typeof one)
      ),
  },
  commandLine: boolean,
  fromProcessEnv: boolean,
  sampling,
};

const QUEUE: Rules<QueueSettings> = {
  queueSize: integer(1, 100_000_000, "a number of sessions"),
  whenFull: oneOf("drop_newest", "drop_oldest"),
  storage: objectOf<StorageSettings>({
    folder: text("the path of a folder", (folder) => folder !== ""),
    persistent: boolean,
    maxBytes: integer(2 ** 16, Number.MAX_SAFE_INTEGER, "a number of bytes"),
  }, ["folder", "persistent", "maxBytes"]),
  consumers: integer(1, 1000, "a number of exports"),
  batchSize: integer(1, 2 ** 16, "a number of sessions"),
  linger: milliseconds(0),
  retry: objectOf<RetrySettings>({
    initialInterval: milliseconds(1),
    maxInterval: milliseconds(1),
    maxElapsedTime: milliseconds(0),
  }, ["initialInterval", "maxInterval", "maxElapsedTime"]),
};

const EXPORTER: Rules<OpenExporterOptions> = {
  id: text("text without spaces: type or type/name", (id) => /^[^/\s]+(\/\S+)?$/.test(id)),
  spans: {
    expected: "what openSpans() gives",
    fits: (value) => typeof value === "object" && value !== null && "toSpan" in value,
  },
  queue: objectOf(QUEUE),
  warn: callback,
  stop: callback,
};

/** @throws {UsageError} that says all that is wrong with `options` */
export function checkCaptureOptions(options: CaptureOptions): void {
  checkOptions("capture", options, CAPTURE);
}

/** @throws {UsageError} as `checkCaptureOptions` */
export function checkSpanOptions(options: SpanOptions): void {
  checkOptions("make spans", options, SPANS);
}

/** @throws {UsageError} as `checkCaptureOptions` */
export function checkExporterOptions(options: OpenExporterOptions): void {
  checkOptions("open an exporter", options, EXPORTER);
}
