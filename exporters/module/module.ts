/** The `module` exporter: any SpanExporter of OpenTelemetry JS, by configuration alone. */
import type { ExporterType } from "../../src/exporter.ts";
import type { ModuleSettings } from "./settings.ts";

/** Hands sessions to a SpanExporter that a module brings. */
export const moduleExporter: ExporterType<ModuleSettings> = {
  type: "module",
  summary: "any SpanExporter of OpenTelemetry JS, imported from npm or a file",
  sendsSpans: true,
  loadSchema: async () => (await import("./settings.ts")).moduleSettings,
  queue: () => ({
    queueSize: 100_000,
    consumers: 1, // the specification: export is never called concurrently
    batchSize: 512, // what OpenTelemetry's own batch processor hands over at most
    linger: 200,
    retry: undefined, // a SpanExporter itself tries again what is worth it
  }),
  open: async (settings, context) => {
    const { openModule } = await import("./exporter.ts");
    return await openModule(settings, context);
  },
};
