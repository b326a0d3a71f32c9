/** The otlp exporter: spans to Jaeger, a Collector, or any other OTLP receiver. */
import { isDeepStrictEqual } from "node:util";
import { UsageError } from "../../src/messages/errors.ts";
import { keepSecretHeader, keepSecretsOfUrl } from "../../src/messages/secrets.ts";
import { queueSettings } from "../../src/queue/settings.ts";
import type {
  Exporter,
  ExporterContext,
  ExporterType,
  MetricExporter,
  MetricExporterContext,
} from "../../src/exporter.ts";
import type { TlsFiles } from "./connection/tls.ts";
import type { ResolvedOtlp, Signal } from "./environment.ts";
import { DEFAULTS } from "./defaults.ts";
import type { Reasons } from "./reason.ts";
import type { OtlpSettings } from "./settings.ts";
import type { OtlpTransport, TransportOptions } from "./transport.ts";

const MIB = 1024 * 1024;

/** The Collector takes 20 MiB over HTTP; a gRPC server takes 4 MiB, unless configured otherwise. */
const MAX_BYTES: Readonly<Record<ResolvedOtlp["protocol"], number>> = {
  "http/protobuf": 20 * MIB - 1,
  "http/json": 20 * MIB - 1,
  "grpc": 4 * MIB,
};

/** The Collector's, the SDKs', and what takes OTLP today. */
const OTHER_NAMES = {
  otlphttp: '"otlp"',
  otlphttpjson: '"otlp" with protocol: http/json',
  otlpgrpc: '"otlp" with protocol: grpc',
  http: '"otlp"',
  grpc: '"otlp" with protocol: grpc',
  jaeger: '"otlp", which Jaeger takes on port 4318',
  tempo: '"otlp", which Tempo takes on port 4318',
  collector: '"otlp"',
  otelcol: '"otlp"',
};

/** `exporters.otlp`. */
export const otlpExporter: ExporterType<OtlpSettings> = {
  type: "otlp",
  summary: "spans to Jaeger, a Collector, or any other OTLP receiver",
  otherNames: OTHER_NAMES,
  sendsSpans: true,
  defaults: DEFAULTS,
  environmentName: "otlp",
  selectingVariables: ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"],
  loadSchema: async () => (await import("./settings.ts")).otlpSettings,
  loadExample: async () => (await import("./example.ts")).EXAMPLE,
  queue: ({ sending_queue, retry_on_failure }) =>
    queueSettings(sending_queue, retry_on_failure, { batchSize: 4096, linger: 200 }),
  check: async (settings, context) => {
    const { checkOtlp } = await import("./check.ts");
    await naming(context.id, checkOtlp(settings, context));
  },
  open: (settings, context) => naming(context.id, open(settings, context)),
  openMetrics: (settings, context) => naming(context.id, openMetrics(settings, context)),
};

/** Puts the exporter's id in front of an error about its settings. */
async function naming<Opened>(id: string, opening: Promise<Opened>): Promise<Opened> {
  try {
    return await opening;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`exporters.${id}: ${error.message}`);
  }
}

async function open(settings: OtlpSettings, context: ExporterContext): Promise<Exporter> {
  const [{ protocol, ...sender }, { OtlpExporter }, { jsonEncoding, protobufEncoding }] =
    await Promise
      .all([
        openSender(settings, context, "traces"),
        import("./exporter.ts"),
        import("./encoding.ts"),
      ]);
  const spans = await context.openSpans();
  return new OtlpExporter({
    encoding: protocol === "http/json" ? jsonEncoding(spans.toSpan) : protobufEncoding(spans),
    maxBytes: MAX_BYTES[protocol],
    ...sender,
  });
}

async function openMetrics(
  settings: OtlpSettings,
  context: MetricExporterContext,
): Promise<MetricExporter> {
  const [{ protocol, ...sender }, { OtlpMetricExporter }] = await Promise.all([
    openSender(settings, context, "metrics"),
    import("./metrics.ts"),
  ]);
  const format = protocol === "http/json" ? "json" : "protobuf";
  return new OtlpMetricExporter({ format, ...sender });
}

/** What sends one signal to its destination. */
interface Sender {
  /** For messages. */
  readonly destination: string;
  readonly protocol: ResolvedOtlp["protocol"];
  readonly transport: OtlpTransport;
  readonly reasons: Reasons;
  readonly timeout: number;
  /** Whether the certificates were renewed, and can be used. */
  readonly isStale: () => Promise<boolean>;
}

async function openSender(
  settings: OtlpSettings,
  { env, warn, baseDirectory }: MetricExporterContext,
  signal: Signal,
): Promise<Sender> {
  const { resolveOtlp } = await import("./environment.ts");
  const { protocol, url, headers, compression, timeout, tls } = resolveOtlp(
    settings,
    env,
    warn,
    signal,
  );
  keepSecretsOfUrl(url);
  for (const header of Object.values(headers)) keepSecretHeader(header);
  const endpoint = new URL(url);
  const [{ proxyOf }, { readTls }] = await Promise.all([
    import("./connection/proxy.ts"),
    import("./connection/tls.ts"),
  ]);
  const proxy = proxyOf(endpoint, protocol === "grpc" ? "grpc" : "http", env);
  keepSecretsOfUrl(proxy?.url.href ?? "");
  keepSecretHeader(proxy?.authorization ?? "");
  const needsAuthorities = proxy?.url.protocol === "https:" ||
    endpoint.protocol === "https:" && tls.caFile === undefined;
  const read = async (): Promise<TlsFiles> => {
    const files = await readTls(tls, baseDirectory);
    if (!needsAuthorities) return files;
    const { trustedAuthorities } = await import("./connection/trust.ts");
    return { ...files, authorities: await trustedAuthorities(env) };
  };
  const files = await read();
  const isStale = async () => {
    try {
      return !isDeepStrictEqual(await read(), files);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      warn(`${error.message}; the old ones stay in use`);
      return false;
    }
  };
  const options: TransportOptions = { endpoint, headers, compression, tls: files, proxy };
  const [{ Reasons }, transport] = await Promise.all([
    import("./reason.ts"),
    openTransport(protocol, options, signal),
  ]);
  const reasons = new Reasons(options);
  return { destination: reasons.destination, protocol, transport, reasons, timeout, isStale };
}

async function openTransport(
  protocol: ResolvedOtlp["protocol"],
  options: TransportOptions,
  signal: Signal,
): Promise<OtlpTransport> {
  switch (protocol) {
    case "grpc": {
      const { GrpcTransport } = await import("./grpc.ts");
      return new GrpcTransport(options, signal);
    }
    case "http/protobuf":
    case "http/json": {
      const { HttpTransport } = await import("./http.ts");
      const type = protocol === "http/json" ? "application/json" : "application/x-protobuf";
      return new HttpTransport(options, type);
    }
  }
}
