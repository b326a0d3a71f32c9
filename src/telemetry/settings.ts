/** The settings of a run's telemetry. */
import type { ConfiguredExporter } from "../config/load.ts";
import type { LoopbackPort } from "../config/loopback_port.ts";

/** Where the metrics of the run's health go: one of these, or both. */
export interface TelemetrySettings {
  readonly otlp: {
    /** The exporter whose receiver gets them. */
    readonly exporter: ConfiguredExporter;
    /** Milliseconds. */
    readonly interval: number;
  } | undefined;
  readonly prometheus: LoopbackPort | undefined;
}
