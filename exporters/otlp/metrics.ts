/** tcpspan's own metrics over OTLP. */
import {
  type IExportMetricsServiceResponse,
  type ISerializer,
  JsonMetricsSerializer,
  ProtobufMetricsSerializer,
} from "../../npm/opentelemetry/otlp_transformer.ts";
import type { ResourceMetrics } from "../../npm/opentelemetry/sdk_metrics.ts";
import type { ExportOutcome, MetricExporter } from "../../src/exporter.ts";
import { outcomeOf } from "./outcome.ts";
import { readPartialSuccess } from "./partial_success.ts";
import type { Reasons } from "./reason.ts";
import type { OtlpTransport } from "./transport.ts";

type Serializer = ISerializer<ResourceMetrics, IExportMetricsServiceResponse>;

/** What an {@linkcode OtlpMetricExporter} needs. */
export interface OtlpMetricExporterOptions {
  readonly format: "json" | "protobuf";
  readonly transport: OtlpTransport;
  readonly reasons: Reasons;
  /** Milliseconds that one request may last. */
  readonly timeout: number;
  readonly isStale: () => Promise<boolean>;
}

/** Sends metrics, written by the official serializer, over the same transport as spans. */
export class OtlpMetricExporter implements MetricExporter {
  readonly #options: OtlpMetricExporterOptions;
  readonly #serializer: Serializer;

  constructor(options: OtlpMetricExporterOptions) {
    this.#options = options;
    this.#serializer = options.format === "json"
      ? JsonMetricsSerializer
      : ProtobufMetricsSerializer;
  }

  async export(metrics: ResourceMetrics, signal: AbortSignal): Promise<ExportOutcome> {
    const { transport, timeout } = this.#options;
    const body = this.#serializer.serializeRequest(metrics);
    if (body === undefined) {
      throw new TypeError("cannot encode metrics: the serializer returned nothing");
    }
    const response = await transport.send(body, timeout, signal);
    return outcomeOf(response, (answer) => this.#partialSuccess(answer));
  }

  isStale(): Promise<boolean> {
    return this.#options.isStale();
  }

  shutdown(): Promise<void> {
    this.#options.transport.shutdown();
    return Promise.resolve();
  }

  #partialSuccess(answer: Uint8Array): ExportOutcome {
    const partial = readPartialSuccess(this.#serializer, answer, "rejectedDataPoints");
    const message = this.#options.reasons.told(partial.message);
    if (partial.rejected === 0) {
      return message === "" ? { status: "success" } : { status: "success", message };
    }
    return {
      status: "success",
      message: `the server rejected ${partial.rejected} data points: ${
        message || "no reason given"
      }`,
    };
  }
}
