/** The `file` exporter: sessions as OTLP JSON lines in a file. */
import type { ExporterType } from "../../src/exporter.ts";
import type { FileSettings } from "./settings.ts";

/** Writes sessions to a file. */
export const fileExporter: ExporterType<FileSettings> = {
  type: "file",
  summary: "OTLP JSON lines in a file, with rotation",
  sendsSpans: false,
  loadSchema: async () => (await import("./settings.ts")).fileSettings,
  queue: () => ({
    queueSize: 100_000,
    consumers: 1, // writes must not mix
    batchSize: 4096,
    linger: 200,
    // a full disk has room again some time
    retry: { initialInterval: 1_000, maxInterval: 30_000, maxElapsedTime: 0 },
  }),
  open: async (settings, context) => {
    const { openFile } = await import("./exporter.ts");
    return await openFile(settings, context);
  },
};
