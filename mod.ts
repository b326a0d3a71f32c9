/**
 * tcpspan: every TCP session of a Linux host as an OpenTelemetry span.
 *
 * As a program: `sudo deno run -A mod.ts --help`. As a library: {@linkcode capture} gives the
 * sessions in batches as they end.
 *
 * @module
 */
export { SessionBatch } from "./src/session/batch.ts";
export { Capture, capture, type CaptureLosses } from "./src/capture/capture.ts";
export type { CaptureOptions } from "./src/capture/capture_options.ts";
export { type Ending, endingOf } from "./src/session/ending.ts";
export { HostError } from "./src/messages/errors.ts";
export { FLAG } from "./src/session/record_layout.ts";
export type { SamplingOptions } from "./src/ids/sampling.ts";
export {
  type InitialSequenceNumbers,
  type OwnerSource,
  type Role,
  Session,
  type TcpState,
} from "./src/session/session.ts";

if (import.meta.main) {
  const { main } = await import("./src/command_line/main.ts");
  const { exporterTypes } = await import("./exporters/registry.ts");
  Deno.exit(await main(Deno.args, exporterTypes));
}
