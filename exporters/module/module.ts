/** The `module` exporter: what a module brings, by configuration alone. */
import type { ExporterType } from "../../src/exporter.ts";
import { RETRY_ON_FAILURE } from "../../src/queue/defaults.ts";
import { queueSettings } from "../../src/queue/settings.ts";
import type { ModuleSettings } from "./settings.ts";

/** Hands sessions to an exporter that a module brings: its own kind, or a SpanExporter. */
export const moduleExporter: ExporterType<ModuleSettings> = {
  type: "module",
  summary: "any SpanExporter of OpenTelemetry JS, or one of your own, from npm or a file",
  sendsSpans: true,
  selectingKey: { name: "module", meaning: "that names a package" },
  loadSchema: async () => (await import("./settings.ts")).moduleSettings,
  loadExample: async () => (await import("./example.ts")).EXAMPLE,
  // one consumer, as the specification has it: export is never called concurrently; batches of what
  // OpenTelemetry's own batch processor hands over at most; a SpanExporter retries by itself, and
  // never asks for a retry
  queue: ({ sending_queue }) =>
    queueSettings(sending_queue, RETRY_ON_FAILURE, { batchSize: 512, linger: 200 }),
  open: async (settings, context) => {
    const { openModule } = await import("./exporter.ts");
    return await openModule(settings, context);
  },
};
