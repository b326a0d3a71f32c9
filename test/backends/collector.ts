/**
 * A real OpenTelemetry Collector for a test: what it receives it writes to a file.
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
import { type OtlpSpan, parseOtlpJsonLines } from "./otlp_json.ts";
import { Server } from "./server.ts";

/** A running Collector. */
export interface Collector extends AsyncDisposable {
  /** Base URL of the OTLP receiver over HTTP: `http://127.0.0.1:PORT`. */
  readonly otlpHttp: string;
  /** URL of the OTLP receiver over gRPC. */
  readonly otlpGrpc: string;
  /** The spans that it received so far, in the order in which its file exporter wrote them. */
  spans(): Promise<OtlpSpan[]>;
  /** Waits until it has `count` spans or more; an error shows the Collector's log. */
  waitForSpans(count: number, timeoutMs?: number): Promise<OtlpSpan[]>;
  stop(): Promise<void>;
}

/** What a Collector is to do besides receiving OTLP. */
export interface CollectorOptions {
  /** Files of OTLP JSON lines to read and follow: absolute paths, which may hold `*`. */
  readonly files?: readonly string[];
}

/** Starts a Collector on free ports of 127.0.0.1 and waits until it is ready. */
export async function startCollector(options: CollectorOptions = {}): Promise<Collector> {
  const folder = await Deno.makeTempDir({ prefix: "tcpspan-collector-" });
  const output = join(folder, "traces.jsonl");
  const removeFolder = () => rm(folder, { recursive: true, force: true });
  const server = await Server.start("otelcol", findBackend("otelcol"), config(output, options))
    .catch(async (error) => {
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
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function config(output: string, { files = [] }: CollectorOptions): object {
  const anyPort = { endpoint: "127.0.0.1:0" };
  return {
    receivers: {
      otlp: { protocols: { http: anyPort, grpc: anyPort } },
      ...(files.length > 0 && {
        otlp_json_file: {
          include: files,
          start_at: "beginning",
          poll_interval: "50ms",
          include_file_name: false,
        },
      }),
    },
    exporters: { file: { path: output, flush_interval: "50ms" } },
    service: {
      pipelines: {
        traces: {
          receivers: files.length > 0 ? ["otlp", "otlp_json_file"] : ["otlp"],
          exporters: ["file"],
        },
      },
    },
  };
}
