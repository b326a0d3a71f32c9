/**
 * The config file's schema, without the exporters' settings, which each exporter type brings. Its
 * error texts say what is expected; `load.ts` puts the place and what was found in front.
 */
import * as z from "../../vendor/zod.js";
import { isRingSize, SHORTEST_INTERIM_MS } from "../capture/capture_options.ts";
import { CGROUP, EXECUTABLE, isCgroup, isExecutable, isPin } from "../capture/names.ts";
import {
  CAPTURE,
  DROP_PRIVILEGES,
  METRICS,
  RESOURCE,
  SAMPLING,
  SHUTDOWN_TIMEOUT,
  TRACE,
} from "./defaults.ts";
import { duration } from "./duration.ts";
import { integer } from "./integer.ts";
import { LARGEST_PID, LARGEST_PORT, MOST_PIDS } from "./limits.ts";
import { loopbackPort } from "./loopback_port.ts";
import { network } from "./network.ts";
import { optionalSection, orEmpty, section } from "./section.ts";
import { parsePorts } from "./ports.ts";
import { size } from "./size.ts";

function list<Item extends z.ZodType>(item: Item, expected: string) {
  return z.array(item, expected);
}

function unique<Item>(items: Item[]): readonly Item[] {
  return [...new Set(items)];
}

const PORT = `a port from 1 to ${LARGEST_PORT}`;

/** A port, or a range of them as text: `8000-8999`. */
const portOrRange = z.union([
  integer(1, LARGEST_PORT, "a port"),
  z.string().regex(/^\d+-\d+$/).transform((text, context) => {
    const range = parsePorts(text);
    if (range !== undefined) return range;
    context.addIssue({ code: "custom", message: PORT });
    return z.NEVER;
  }),
], PORT);

function ports(fallback: number[]) {
  return list(portOrRange, "a list of ports").transform((items) => unique(items.flat()))
    .prefault(fallback);
}

function networks(fallback: string[]) {
  return list(network(), "a list of networks").prefault(fallback);
}

const PIDS = `a list of at most ${MOST_PIDS} process ids`;

const ringBuffer = size(isRingSize, "a power of two from 256KiB to 1GiB, such as 16MiB");

const INTERIM = "off, or a duration of at least 100ms, such as 30s";

const PIN = "off, or the path of a folder such as /sys/fs/bpf/tcpspan, without dots";

/** `capture`: which sessions are traced, and how. */
export const captureSchema = section({
  pids: list(integer(1, LARGEST_PID, "a process id"), PIDS).max(MOST_PIDS, PIDS)
    .transform(unique).prefault(CAPTURE.pids)
    .describe("Only sessions of these processes; empty for all."),
  local_ports: ports(CAPTURE.local_ports)
    .describe(
      "Only sessions with one of these local ports, or ranges such as 8000-8999; empty for all.",
    ),
  remote_ports: ports(CAPTURE.remote_ports)
    .describe("Only sessions with one of these remote ports, or ranges; empty for all."),
  families: list(
    z.enum(["ipv4", "ipv6"]),
    "a list of ipv4 and ipv6",
  ).min(1, "at least one of ipv4 and ipv6").transform(unique).prefault(CAPTURE.families)
    .describe("Address families; an IPv4 peer of a dual-stack socket is ipv4."),
  include_cidrs: networks(CAPTURE.include_cidrs)
    .describe("Only sessions whose peer is in one of these networks; empty for all."),
  exclude_cidrs: networks(CAPTURE.exclude_cidrs)
    .describe("No session whose peer is in one of these networks; wins over include."),
  exclude_executables: list(
    z.string(EXECUTABLE).refine(isExecutable, EXECUTABLE),
    "a list of executables' names",
  ).transform(unique).prefault(CAPTURE.exclude_executables)
    .describe("No session of these executables, by name; that of a script is its interpreter."),
  exclude_cgroups: list(z.string(CGROUP).refine(isCgroup, CGROUP), "a list of paths of cgroups")
    .transform(unique).prefault(CAPTURE.exclude_cgroups)
    .describe("No session of processes in these cgroups (v2), or below them."),
  min_bytes: size().prefault(`${CAPTURE.min_bytes}B`)
    .describe("Only sessions with at least this much payload, both directions together."),
  min_duration: duration().prefault(`${CAPTURE.min_duration}s`)
    .describe("Only sessions that last at least this long."),
  max_sessions_per_second: integer(0, 2 ** 32 - 1, "a number")
    .default(CAPTURE.max_sessions_per_second)
    .describe("A cap, over which sessions are dropped and counted; 0 for none."),
  ring_buffer: ringBuffer.prefault(`${CAPTURE.ring_buffer / 2 ** 20}MiB`)
    .describe("Buffer between kernel and program: a power of two from 256KiB to 1GiB."),
  existing: z.boolean().default(CAPTURE.existing)
    .describe("Also sessions that were open before the start."),
  interim: z.union([
    z.literal(["off", false]).transform((): "off" => "off"),
    duration().refine((ms) => ms >= SHORTEST_INTERIM_MS, INTERIM),
  ], INTERIM).prefault(CAPTURE.interim)
    .describe("Reports open sessions again and again, at this interval: off, or a duration."),
  report_open_on_exit: z.boolean().default(CAPTURE.report_open_on_exit)
    .describe("Reports the sessions that are still open when tcpspan stops."),
  own_traffic: z.boolean().default(CAPTURE.own_traffic)
    .describe("Also tcpspan's own sessions, such as those in which it exports."),
  pin: z.union([
    z.literal(["off", false]).transform((): "off" => "off"),
    z.string().refine(isPin, PIN),
  ], PIN).prefault(CAPTURE.pin)
    .describe(
      "Folder in a BPF file system in which programs and ring outlive tcpspan: off, or a path.",
    ),
}).describe("Which sessions are traced. The flags -p -L -D -4 -6 override it.");

const RATIO = "a number above 0 and at most 1, such as 0.1";

/** `sampling`: which sessions are kept, of those that `capture` lets through. */
export const samplingSchema = section({
  ratio: z.number(RATIO).gt(0, RATIO).max(1, RATIO).default(SAMPLING.ratio)
    .describe("Share of the sessions that is kept, the same at both ends and on all hosts."),
  keep_errors: z.boolean().default(SAMPLING.keep_errors)
    .describe("Keep all sessions that failed."),
}).describe("Which sessions are kept, by their trace ids.");

/** A resource attribute's value. */
const attribute = z.union([
  z.string(),
  z.number(),
  z.boolean(),
  z.array(z.string()),
  z.array(z.number()),
  z.array(z.boolean()),
], "text, a number, true or false, or a list of one kind of these");

/** `resource`: what describes the observed processes. */
export const resourceSchema = section({
  attributes: orEmpty(z.record(
    z.string().min(1, "a name that is not empty"),
    attribute,
    "a mapping of attribute names to values",
  )).describe("Put on every span; wins over OTEL_RESOURCE_ATTRIBUTES."),
  command_line: z.boolean().default(RESOURCE.command_line)
    .describe("Report process.command_line, which may hold secrets."),
  from_process_env: z.boolean().default(RESOURCE.from_process_env)
    .describe("Take service.name from the observed process's own OTEL_SERVICE_NAME."),
}).describe("What describes the observed processes.");

/** `trace`: how the two ends of a session find each other. */
export const traceSchema = section({
  parent: z.enum(["auto", "always", "never"]).default(TRACE.parent)
    .describe(
      "Whether the server's span is a child of the client's; auto: if the peer is on this host " +
        "or in `peers`.",
    ),
  peers: networks(TRACE.peers).describe("Networks whose hosts run tcpspan too."),
  key: z.string().default(TRACE.key)
    .describe("Secret that keys the trace ids; all hosts of a site use the same."),
}).describe("How the two ends of a session find each other.");

const METRIC_INTERVAL = "a duration of at least 1s, such as 60s";

/** `telemetry`: how tcpspan reports its own health. */
export const telemetrySchema = section({
  otlp: optionalSection({
    exporter: z.string("the id of an otlp exporter").optional()
      .describe("Id of the otlp exporter whose receiver gets them; default: the only one."),
    interval: duration().refine((ms) => ms >= 1000, METRIC_INTERVAL)
      .prefault(METRICS.interval).describe("How often they are sent."),
  }).describe("Metrics over OTLP, to the receiver of one of the exporters."),
  prometheus: optionalSection({
    listen: loopbackPort().prefault(METRICS.listen)
      .describe("Loopback address and port of the page /metrics; port 0 for any free one."),
  }).describe("Metrics on a page for Prometheus, only on this host."),
}).describe("How tcpspan reports its own health. What is left out is off.");

/** The whole file; the exporters' settings are not checked here. */
export const configSchema = z.strictObject({
  capture: captureSchema,
  sampling: samplingSchema,
  resource: resourceSchema,
  trace: traceSchema,
  shutdown_timeout: duration().prefault(`${SHUTDOWN_TIMEOUT}ms`)
    .describe("How long exporters may take at the end to deliver what waits."),
  drop_privileges: z.boolean().default(DROP_PRIVILEGES)
    .describe(
      "Once tracing has begun, give up for good the privileges to load kernel programs, to start " +
        "programs, and more: see docs/security.md.",
    ),
  telemetry: telemetrySchema,
  exporters: z.record(
    z.string(),
    z.unknown(),
    "a mapping of exporter ids, such as stdout or otlp/jaeger, to their settings",
  ),
}, {
  error: ({ code }) => code === "invalid_type" ? "a mapping with an exporters section" : undefined,
});
