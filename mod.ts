/**
 * tcpspan: every TCP session of a Linux host as an OpenTelemetry span.
 *
 * As a program: `sudo deno run -A mod.ts --help`. As a library: {@linkcode capture} gives the
 * sessions in batches as they end, {@linkcode openSpans} makes spans of them, and
 * {@linkcode openExporter} delivers them. docs/library.md shows each at work.
 *
 * @module
 */
export type { CaptureLosses } from "./src/capture/capture.ts";
export type { CaptureOptions } from "./src/capture/capture_options.ts";
export type { Omission } from "./src/capture/omission.ts";
export type {
  ExportOutcome,
  QueueSettings,
  RetrySettings,
  StorageSettings,
  WhenFull,
} from "./src/exporter.ts";
export type { SamplingOptions } from "./src/ids/sampling.ts";
export { batchOf, type SessionBatch, sessionOf } from "./src/library/batch.ts";
export type { Capture } from "./src/library/capture.ts";
export type { Exporter, ExporterContext, ExporterType } from "./src/library/exporter.ts";
export { capture, openExporter, openSpans } from "./src/library/open.ts";
export type { ExporterQueue, OpenExporterOptions } from "./src/library/queue.ts";
export type { Session, SessionData, SessionJson } from "./src/library/session.ts";
export type {
  Span,
  SpanAttributes,
  SpanContext,
  SpanEvent,
  SpanResource,
  SpanScope,
  SpanTime,
  SpanTraceState,
} from "./src/library/span.ts";
export type { SpanIds, SpanOptions, Spans } from "./src/library/spans.ts";
export { HostError, UsageError } from "./src/messages/errors.ts";
export type { QueueCounters } from "./src/queue/counters.ts";
export type { Ending } from "./src/session/ending.ts";
export { FLAG } from "./src/session/record_layout.ts";
export {
  type InitialSequenceNumbers,
  OWNER_SOURCES,
  type OwnerSource,
  type Role,
  TCP_STATES,
  type TcpState,
} from "./src/session/session.ts";
export { otlpExporter, type OtlpOptions } from "./exporters/otlp/library.ts";

if (import.meta.main) {
  const { main } = await import("./src/command_line/main.ts");
  const { exporterTypes } = await import("./exporters/registry.ts");
  Deno.exit(await main(Deno.args, exporterTypes));
}
