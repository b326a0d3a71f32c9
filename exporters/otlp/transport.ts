/** What the OTLP transports have in common: how they are set up, and what they answer. */
import type {
  ExportResponse,
  IExporterTransport,
} from "../../npm/opentelemetry/otlp_exporter_base.ts";
import { VERSION } from "../../src/version.ts";
import type { ConnectionOptions } from "./connection/options.ts";

/**
 * The official transport, with a way to give up. `data` is one encoded ExportTraceServiceRequest or
 * ExportMetricsServiceRequest. In the answer, `error.message` is a complete reason to show to the
 * user: it names the endpoint, and holds no credentials.
 */
export interface OtlpTransport extends IExporterTransport {
  /** @param timeoutMillis for the whole exchange, from the name's resolution to the answer's end */
  send(data: Uint8Array, timeoutMillis: number, signal?: AbortSignal): Promise<OtlpResponse>;
}

/** What became of a request. `isTooLarge`: it was refused, and a smaller one may be taken. */
export type OtlpResponse = ExportResponse & { readonly isTooLarge?: boolean };

/** Where a transport sends to, and how. */
export interface TransportOptions extends ConnectionOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly compression: "none" | "gzip" | "zstd";
}

/** The official exporters whose serializers are used, with their version, in their own words. */
const OTEL_USER_AGENT = "OTel-OTLP-Exporter-JavaScript/0.301.0";

/** The User-Agent, in the form that the OpenTelemetry specification asks of distributions. */
export const USER_AGENT = `tcpspan/${VERSION} ${OTEL_USER_AGENT}`;
