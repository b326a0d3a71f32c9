/** The otlp exporter: spans to Jaeger, a Collector, or any other OTLP receiver. */
import { UsageError } from "../../src/errors.ts";
import type { Exporter, ExporterContext, ExporterType } from "../../src/exporter.ts";
import { queueSettings } from "../../src/queue/queue_settings.ts";
import type { ResolvedOtlp } from "./environment.ts";
import { DEFAULTS } from "./defaults.ts";
import type { OtlpSettings } from "./settings.ts";
import type { OtlpTransport, TransportOptions } from "./transport.ts";

const MIB = 1024 * 1024;

/** The Collector takes 20 MiB over HTTP; a gRPC server 4 MiB, unless it was told otherwise. */
const MAX_BYTES: Readonly<Record<ResolvedOtlp["protocol"], number>> = {
  "http/protobuf": 20 * MIB - 1,
  "http/json": 20 * MIB - 1,
  "grpc": 4 * MIB,
};

/** `exporters.otlp`. */
export const otlpExporter: ExporterType<OtlpSettings> = {
  type: "otlp",
  summary: "spans to Jaeger, a Collector, or any other OTLP receiver",
  sendsSpans: true,
  defaults: DEFAULTS,
  loadSchema: async () => (await import("./settings.ts")).otlpSettings,
  queue: ({ sending_queue, retry_on_failure }) =>
    queueSettings(sending_queue, retry_on_failure, { batchSize: 4096, linger: 200 }),
  open: async (settings, context) => {
    try {
      return await open(settings, context);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw new UsageError(`exporters.${context.id}: ${error.message}`);
    }
  },
};

async function open(settings: OtlpSettings, context: ExporterContext): Promise<Exporter> {
  const { resolveOtlp } = await import("./environment.ts");
  const { protocol, url, headers, compression, timeout, tls } = resolveOtlp(
    settings,
    context.env,
    context.warn,
  );
  const { readTls } = await import("./tls.ts");
  const options: TransportOptions = {
    endpoint: new URL(url),
    headers,
    compression,
    tls: await readTls(tls, context.baseDirectory),
  };
  const [{ OtlpExporter }, { jsonEncoding, protobufEncoding }, { Reasons }, transport] =
    await Promise.all([
      import("./exporter.ts"),
      import("./encoding.ts"),
      import("./reason.ts"),
      openTransport(protocol, options),
    ]);
  const { toSpan, source } = await context.openSpans();
  return new OtlpExporter({
    encoding: protocol === "http/json" ? jsonEncoding(toSpan) : protobufEncoding(source),
    transport,
    reasons: new Reasons(options),
    timeout,
    maxBytes: MAX_BYTES[protocol],
  });
}

async function openTransport(
  protocol: ResolvedOtlp["protocol"],
  options: TransportOptions,
): Promise<OtlpTransport> {
  switch (protocol) {
    case "grpc": {
      const { GrpcTransport } = await import("./grpc.ts");
      return new GrpcTransport(options);
    }
    case "http/protobuf":
    case "http/json": {
      const { HttpTransport } = await import("./http.ts");
      const type = protocol === "http/json" ? "application/json" : "application/x-protobuf";
      return new HttpTransport(options, type);
    }
  }
}
