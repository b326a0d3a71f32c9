/**
 * A real OpenTelemetry Collector for a test: it writes what it receives to a file.
 *
 * ```ts ignore
 * await using collector = await startCollector();
 * await send(`${collector.otlpHttp}/v1/traces`);
 * const [span] = await collector.waitForSpans(1);
 * ```
 * @module
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { findBackend } from "./find.ts";
import { lastMetricPoints, type MetricPoint } from "./otlp_metrics.ts";
import { type OtlpSpan, parseOtlpJsonLines } from "./otlp_json.ts";
import { Server } from "./server.ts";
import { parseServiceGraph, type ServiceEdge } from "./service_graph.ts";

/** A running Collector. */
export interface Collector extends AsyncDisposable {
  /** Base URL of the OTLP receiver over HTTP: `http://127.0.0.1:PORT`. */
  readonly otlpHttp: string;
  /** URL of the OTLP receiver over gRPC. */
  readonly otlpGrpc: string;
  /** The spans that it has received, in the order in which its file exporter wrote them. */
  spans(): Promise<OtlpSpan[]>;
  /** Waits until it has `count` spans or more; an error shows the Collector's log. */
  waitForSpans(count: number, timeoutMs?: number): Promise<OtlpSpan[]>;
  /** The metrics of the last export that it received; none without the option `metrics`. */
  metrics(): Promise<MetricPoint[]>;
  /** The service graph so far; empty without the option `serviceGraph`. */
  serviceGraph(): Promise<ServiceEdge[]>;
  stop(): Promise<void>;
}

/** What a Collector does besides receiving OTLP. */
export interface CollectorOptions {
  /** Files of OTLP JSON lines to read and follow: absolute paths, which may hold `*`. */
  readonly files?: readonly string[];
  /** MiB that a request may have; otherwise 20 over HTTP, 4 over gRPC. */
  readonly limitMiB?: number;
  /** Whether it also receives metrics. */
  readonly metrics?: boolean;
  /** Settings of the connector `servicegraph`, which makes metrics of traces. */
  readonly serviceGraph?: Readonly<Record<string, unknown>>;
}

/** Starts a Collector on free ports of 127.0.0.1 and waits until it is ready. */
export async function startCollector(options: CollectorOptions = {}): Promise<Collector> {
  const folder = await Deno.makeTempDir({ prefix: "tcpspan-collector-" });
  const output = join(folder, "traces.jsonl");
  const metrics = join(folder, "metrics.jsonl");
  const ownMetrics = join(folder, "own_metrics.jsonl");
  const removeFolder = () => rm(folder, { recursive: true, force: true });
  const server = await Server.start(
    "otelcol",
    findBackend("otelcol"),
    config(output, metrics, ownMetrics, options),
  ).catch(async (error) => {
    await removeFolder();
    throw error;
  });
  const address = (protocol: "HTTP" | "GRPC") =>
    server.loggedAddress({
      "otelcol.component.id": "otlp",
      msg: `Starting ${protocol} server`,
    }, "endpoint");
  const spans = async () => parseOtlpJsonLines(await Deno.readTextFile(output));
  const stop = async () => {
    await server.stop();
    await removeFolder();
  };
  return {
    otlpHttp: `http://${address("HTTP")}`,
    otlpGrpc: `http://${address("GRPC")}`,
    spans,
    waitForSpans: (count, timeoutMs) =>
      server.until(`receive ${count} spans`, async () => {
        const received = await spans();
        return received.length >= count && received;
      }, timeoutMs),
    metrics: async () =>
      options.metrics === true ? lastMetricPoints(await Deno.readTextFile(ownMetrics)) : [],
    serviceGraph: async () =>
      options.serviceGraph === undefined ? [] : parseServiceGraph(await Deno.readTextFile(metrics)),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function config(
  output: string,
  graphMetrics: string,
  metricsOutput: string,
  { files = [], limitMiB, metrics = false, serviceGraph }: CollectorOptions,
): object {
  const anyPort = { endpoint: "127.0.0.1:0" };
  const http = limitMiB === undefined ? {} : { max_request_body_size: limitMiB * 2 ** 20 };
  const grpc = limitMiB === undefined ? {} : { max_recv_msg_size_mib: limitMiB };
  const withGraph = serviceGraph !== undefined;
  return {
    receivers: {
      otlp: { protocols: { http: { ...anyPort, ...http }, grpc: { ...anyPort, ...grpc } } },
      ...(files.length > 0 && {
        otlp_json_file: {
          include: files,
          start_at: "beginning",
          poll_interval: "50ms",
          include_file_name: false,
        },
      }),
    },
    ...(withGraph && { connectors: { servicegraph: serviceGraph } }),
    exporters: {
      file: { path: output, flush_interval: "50ms" },
      ...(withGraph && { "file/metrics": { path: graphMetrics, flush_interval: "50ms" } }),
      ...(metrics && { "file/own_metrics": { path: metricsOutput, flush_interval: "50ms" } }),
    },
    service: {
      pipelines: {
        traces: {
          receivers: files.length > 0 ? ["otlp", "otlp_json_file"] : ["otlp"],
          exporters: withGraph ? ["file", "servicegraph"] : ["file"],
        },
        ...(metrics && { "metrics/own": { receivers: ["otlp"], exporters: ["file/own_metrics"] } }),
        ...(withGraph && { metrics: { receivers: ["servicegraph"], exporters: ["file/metrics"] } }),
      },
    },
  };
}
