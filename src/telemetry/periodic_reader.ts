/** Metrics to a destination, at an interval. */
import {
  AggregationTemporality,
  type MetricReader,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
  type ResourceMetrics,
} from "../../npm/opentelemetry/sdk_metrics.ts";
import { type ExportResult, ExportResultCode } from "../../npm/opentelemetry/core.ts";
import type { ExportOutcome, MetricExporter, MetricExporterContext } from "../exporter.ts";
import { messageOf } from "../messages/errors.ts";
import { log } from "../messages/log.ts";
import type { TelemetrySettings } from "./settings.ts";

/** What sends metrics. */
export interface PeriodicReader {
  readonly reader: MetricReader;
  /** {@linkcode MetricExporter.isStale} of its exporter. */
  readonly isStale: () => Promise<boolean>;
}

/**
 * Opens what sends metrics to the destination of an exporter.
 * @param context.signal aborts when an export must be given up
 * @throws {UsageError} if its settings cannot work for metrics
 */
export async function openPeriodicReader(
  { exporter: { id, type, settings }, interval }: NonNullable<TelemetrySettings["otlp"]>,
  context: Omit<MetricExporterContext, "id" | "warn"> & { readonly signal: AbortSignal },
): Promise<PeriodicReader> {
  const limited = log.limited({ exporter: id });
  const warn = (message: string) => limited(`telemetry.otlp: ${message}`);
  if (type.openMetrics === undefined) throw new Error(`${id} cannot send metrics`);
  const exporter = await type.openMetrics(settings, { ...context, id, warn });
  const reader = new PeriodicExportingMetricReader({
    exporter: new Adapter(exporter, context.signal, warn),
    exportIntervalMillis: interval,
    exportTimeoutMillis: interval, // the exporter has one of its own
  });
  return { reader, isStale: async () => await exporter.isStale?.() ?? false };
}

/** An exporter as the SDK wants it. The SDK hides failures, so they are reported here, once. */
class Adapter implements PushMetricExporter {
  #failing = false;

  constructor(
    private readonly exporter: MetricExporter,
    private readonly signal: AbortSignal,
    private readonly warn: (message: string) => void,
  ) {}

  async export(metrics: ResourceMetrics, done: (result: ExportResult) => void): Promise<void> {
    let outcome: ExportOutcome;
    try {
      outcome = await this.exporter.export(metrics, this.signal);
    } catch (error) {
      outcome = { status: "failure", reason: messageOf(error) };
    }
    this.#report(outcome);
    // never a failure: the SDK would report it to nobody
    done({ code: ExportResultCode.SUCCESS });
  }

  selectAggregationTemporality(): AggregationTemporality {
    return AggregationTemporality.CUMULATIVE; // so that nothing is lost with a request
  }

  forceFlush(): Promise<void> {
    return Promise.resolve();
  }

  shutdown(): Promise<void> {
    return this.exporter.shutdown();
  }

  #report(outcome: ExportOutcome): void {
    const problem = outcome.status === "success"
      ? outcome.message
      : `${outcome.reason}; the next metrics make up for it`;
    const failing = problem !== undefined;
    if (failing && !this.#failing) this.warn(problem);
    if (!failing && this.#failing) this.warn("metrics are taken again");
    this.#failing = failing;
  }
}
