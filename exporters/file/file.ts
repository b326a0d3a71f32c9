/** The `file` exporter: sessions as OTLP JSON lines in a file. */
import type { ExporterType } from "../../src/exporter.ts";
import { queueSettings } from "../../src/queue/settings.ts";
import type { FileSettings } from "./settings.ts";

/** Writes sessions to a file. */
export const fileExporter: ExporterType<FileSettings> = {
  type: "file",
  summary: "OTLP JSON lines in a file, with rotation",
  sendsSpans: false,
  loadSchema: async () => (await import("./settings.ts")).fileSettings,
  loadExample: async () => (await import("./example.ts")).EXAMPLE,
  // one consumer, because writes must not mix; retries, because a full disk may have room later
  queue: ({ sending_queue, retry_on_failure }) =>
    queueSettings(sending_queue, retry_on_failure, { batchSize: 4096, linger: 200 }),
  file: ({ path }) => path,
  check: async (settings, context) => {
    const { checkFile } = await import("./check.ts");
    await checkFile(settings, context);
  },
  open: async (settings, context) => {
    const { openFile } = await import("./exporter.ts");
    return await openFile(settings, context);
  },
  probe: async (settings, context) => {
    const { probeFile } = await import("./exporter.ts");
    await probeFile(settings, context);
  },
};
