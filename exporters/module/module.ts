/** The `module` exporter: any SpanExporter of OpenTelemetry JS, by configuration alone. */
import type { ExporterType } from "../../src/exporter.ts";
import { queueSettings } from "../../src/queue/settings.ts";
import type { ModuleSettings } from "./settings.ts";

/** Hands sessions to a SpanExporter that a module brings. */
export const moduleExporter: ExporterType<ModuleSettings> = {
  type: "module",
  summary: "any SpanExporter of OpenTelemetry JS, imported from npm or a file",
  sendsSpans: true,
  selectingKey: { name: "module", meaning: "that names a package" },
  loadSchema: async () => (await import("./settings.ts")).moduleSettings,
  loadExample: async () => (await import("./example.ts")).EXAMPLE,
  // one consumer, as the specification has it: export is never called concurrently; batches of what
  // OpenTelemetry's own batch processor hands over at most; and a SpanExporter retries by itself
  queue: ({ sending_queue }) =>
    queueSettings(sending_queue, undefined, { batchSize: 512, linger: 200 }),
  open: async (settings, context) => {
    const { openModule } = await import("./exporter.ts");
    return await openModule(settings, context);
  },
};
