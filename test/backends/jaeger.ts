/**
 * A real Jaeger for a test.
 *
 * ```ts ignore
 * await using jaeger = await startJaeger();
 * await send(`${jaeger.otlpHttp}/v1/traces`);
 * const [span] = await jaeger.waitForSpans("nginx", 1);
 * ```
 * @module
 */
import { findBackend } from "./find.ts";
import { listeningPorts, Server } from "./server.ts";

/** More than any test sends. */
const TRACES_AT_MOST = 100_000;

/** Without it, a query shows 20 traces of the last two days. Times are microseconds. */
const ALL = { limit: `${TRACES_AT_MOST}`, start: "1", end: "4000000000000000" };

/** A span as Jaeger's query API shows it, with its lists of tags as objects. */
export interface JaegerSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  /** service.name of the resource. */
  readonly service: string;
  /** Microseconds since the epoch. */
  readonly startUs: number;
  /** Microseconds. */
  readonly durationUs: number;
  /** The span's attributes, its kind as `span.kind`, its status as `error`, `otel.status_code`. */
  readonly tags: Readonly<Record<string, unknown>>;
  /** The resource's attributes without service.name. */
  readonly process: Readonly<Record<string, unknown>>;
  /** The span's events: microseconds since the epoch; the event's name is the field `event`. */
  readonly events: readonly {
    readonly timeUs: number;
    readonly fields: Readonly<Record<string, unknown>>;
  }[];
  /** What Jaeger finds wrong: an invalid parent, a duplicate id, clock skew. */
  readonly warnings: readonly string[];
}

/** Spans with one trace id. */
export interface JaegerTrace {
  readonly traceId: string;
  readonly spans: readonly JaegerSpan[];
}

/** A running Jaeger that keeps its traces in memory. */
export interface Jaeger extends AsyncDisposable {
  /** Base URL of the OTLP receiver over HTTP: `http://127.0.0.1:PORT`. */
  readonly otlpHttp: string;
  /** URL of the OTLP receiver over gRPC. */
  readonly otlpGrpc: string;
  /** URL that takes Zipkin's JSON: `http://127.0.0.1:PORT/api/v2/spans`. */
  readonly zipkin: string;
  /** URL that takes Jaeger's Thrift over HTTP, if a port was given for it. */
  readonly thrift: string;
  /** Base URL of the query API: `/api/services`, `/api/traces`, `/api/dependencies`. */
  readonly query: string;
  /** The services that have sent spans. */
  services(): Promise<string[]>;
  /** The traces that hold a span of `service`, with all their spans. */
  traces(service: string): Promise<JaegerTrace[]>;
  /** Calls by edge of the dependency graph: `curl -> nginx`. */
  dependencies(): Promise<Map<string, number>>;
  /** Waits until there are `count` spans of `service` or more; an error shows Jaeger's log. */
  waitForSpans(service: string, count: number, timeoutMs?: number): Promise<JaegerSpan[]>;
  stop(): Promise<void>;
}

/**
 * Starts Jaeger on free ports of 127.0.0.1 and waits until it is ready.
 * @param thriftPort for Jaeger's own format, which cannot be given port 0
 */
export async function startJaeger(thriftPort?: number): Promise<Jaeger> {
  const config = thriftPort === undefined ? CONFIG : withThrift(thriftPort);
  const server = await Server.start("jaeger", findBackend("jaeger"), config);
  const otlp = { "otelcol.component.id": "otlp" };
  const queryStarted = { msg: "Query server started" };
  const query = server.loggedAddress(queryStarted, "http_addr");
  const http = server.loggedAddress({ ...otlp, msg: "Starting HTTP server" }, "endpoint");
  const grpc = server.loggedAddress({ ...otlp, msg: "Starting GRPC server" }, "endpoint");
  // The Zipkin receiver does not log its port: it is the remaining one.
  const logged = [query, http, grpc, server.loggedAddress(queryStarted, "grpc_addr")];
  const zipkinPort = listeningPorts(server.pid).find((port) =>
    port !== thriftPort && !logged.some((address) => address.endsWith(`:${port}`))
  );

  const api = async (path: string): Promise<unknown> => {
    const response = await fetch(`http://${query}${path}`);
    const body: { data: unknown; errors: unknown } = await response.json();
    if (!response.ok) throw new Error(`cannot query Jaeger: ${JSON.stringify(body.errors)}`);
    return body.data;
  };
  const traces = async (service: string): Promise<JaegerTrace[]> => {
    const parameters = new URLSearchParams({ service, ...ALL });
    const found = await api(`/api/traces?${parameters}`) as ApiTrace[];
    return found.map((trace) => ({
      traceId: trace.traceID,
      spans: trace.spans.map((span) => toSpan(trace, span)),
    }));
  };
  return {
    otlpHttp: `http://${http}`,
    otlpGrpc: `http://${grpc}`,
    zipkin: `http://127.0.0.1:${zipkinPort}/api/v2/spans`,
    thrift: `http://127.0.0.1:${thriftPort}/api/traces`,
    query: `http://${query}`,
    traces,
    services: async () => (await api("/api/services") as string[] | null) ?? [],
    dependencies: async () => {
      const hour = 3_600_000;
      const found = await api(
        `/api/dependencies?endTs=${Date.now() + hour}&lookback=${2 * hour}`,
      ) as ApiEdge[];
      return new Map(
        found.map(({ parent, child, callCount }) => [`${parent} -> ${child}`, callCount]),
      );
    },
    waitForSpans: (service, count, timeoutMs) =>
      server.until(`show ${count} spans of ${service}`, async () => {
        const spans = (await traces(service)).flatMap((trace) => trace.spans)
          .filter((span) => span.service === service);
        return spans.length >= count && spans;
      }, timeoutMs),
    stop: () => server.stop(),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

const ANY_PORT = { endpoint: "127.0.0.1:0" };
const CONFIG = {
  extensions: {
    jaeger_storage: { backends: { memory: { memory: { max_traces: TRACES_AT_MOST } } } },
    jaeger_query: {
      storage: { traces: "memory" },
      http: ANY_PORT,
      grpc: ANY_PORT,
      enable_tracing: false, // it would send its own spans to port 4317
    },
  },
  receivers: { otlp: { protocols: { http: ANY_PORT, grpc: ANY_PORT } }, zipkin: ANY_PORT },
  exporters: { jaeger_storage_exporter: { trace_storage: "memory" } },
  service: {
    extensions: ["jaeger_storage", "jaeger_query"],
    pipelines: {
      traces: { receivers: ["otlp", "zipkin"], exporters: ["jaeger_storage_exporter"] },
    },
  },
};

function withThrift(port: number): object {
  const receivers = {
    ...CONFIG.receivers,
    jaeger: { protocols: { thrift_http: { endpoint: `127.0.0.1:${port}` } } },
  };
  const traces = { ...CONFIG.service.pipelines.traces, receivers: Object.keys(receivers) };
  return { ...CONFIG, receivers, service: { ...CONFIG.service, pipelines: { traces } } };
}

interface ApiTag {
  key: string;
  value: unknown;
}

interface ApiEdge {
  parent: string;
  child: string;
  callCount: number;
}

interface ApiTrace {
  traceID: string;
  processes: Record<string, { serviceName: string; tags?: ApiTag[] }>;
  spans: ApiSpan[];
}

interface ApiSpan {
  traceID: string;
  spanID: string;
  processID: string;
  operationName: string;
  references: { refType: string; spanID: string }[];
  startTime: number;
  duration: number;
  tags: ApiTag[];
  logs: { timestamp: number; fields: ApiTag[] }[];
  warnings: string[] | null;
}

function toSpan(trace: ApiTrace, span: ApiSpan): JaegerSpan {
  const process = trace.processes[span.processID];
  return {
    traceId: span.traceID,
    spanId: span.spanID,
    parentSpanId: span.references.find(({ refType }) => refType === "CHILD_OF")?.spanID,
    name: span.operationName,
    service: process?.serviceName ?? "",
    startUs: span.startTime,
    durationUs: span.duration,
    tags: toObject(span.tags),
    process: toObject(process?.tags ?? []),
    events: span.logs.map((log) => ({ timeUs: log.timestamp, fields: toObject(log.fields) })),
    warnings: span.warnings ?? [],
  };
}

function toObject(tags: ApiTag[]): Record<string, unknown> {
  return Object.fromEntries(tags.map(({ key, value }) => [key, value]));
}
