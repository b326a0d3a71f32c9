/** The `module` exporter: any exporter of a module, by configuration only. */
import type { ExporterType } from "../../src/exporter.ts";
import { RETRY_ON_FAILURE } from "../../src/queue/defaults.ts";
import { queueSettings } from "../../src/queue/settings.ts";
import type { ModuleSettings } from "./settings.ts";

/** Hands sessions to the exporter of a module: a native one, or a SpanExporter. */
export const moduleExporter: ExporterType<ModuleSettings> = {
  type: "module",
  summary: "any SpanExporter of OpenTelemetry JS, or one of your own, from npm or a file",
  otherNames: { zipkin: "a module key with npm:@opentelemetry/exporter-zipkin" },
  sendsSpans: true,
  selectingKey: { name: "module", meaning: "that names a package" },
  loadSchema: async () => (await import("./settings.ts")).moduleSettings,
  loadExample: async () => (await import("./example.ts")).EXAMPLE,
  // one consumer: the specification forbids concurrent calls of export; batches no larger than
  // those of OpenTelemetry's own batch processor; a SpanExporter retries by itself, and never asks
  // for a retry
  queue: ({ sending_queue }) =>
    queueSettings(sending_queue, RETRY_ON_FAILURE, { batchSize: 512, linger: 200 }),
  check: async ({ module }, context) => {
    const { checkModule } = await import("./check.ts");
    await checkModule(module, context);
  },
  open: async (settings, context) => {
    const { openModule } = await import("./exporter.ts");
    return await openModule(settings, context);
  },
};
