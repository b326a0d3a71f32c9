/** The destinations that a run would send to, opened and asked. */
import { resolve } from "node:path";
import { unlessAborted } from "../abort.ts";
import { SessionBatch } from "../session/batch.ts";
import type { ConfiguredExporter } from "../config/load.ts";
import type { Exporter, ExporterContext, ExportOutcome } from "../exporter.ts";
import type { HostCheck } from "../host/check.ts";
import { SpoolFolder } from "../queue/spool/folder.ts";
import { deadline, failureOf, LIMIT_MS } from "./failure.ts";

/** What one destination is tried with. */
export type ProbeContext = Omit<ExporterContext, "id" | "stop" | "reloading">;

/** Whether sessions could go to each of `exporters`; none are sent. */
export async function tryExporters(
  exporters: readonly ConfiguredExporter[],
  context: ProbeContext,
): Promise<HostCheck[]> {
  const items = await Promise.all(exporters.map(async (exporter): Promise<HostCheck> => ({
    ...await tryExporter(exporter, context),
    key: ["exporters", exporter.id],
  })));
  const folders = exporters.flatMap(({ id, type, settings }) => {
    const folder = type.queue(settings).storage?.folder;
    return folder === undefined ? [] : [{ id, folder: resolve(context.baseDirectory, folder) }];
  });
  return [
    ...items,
    ...folders.map(({ id, folder }): HostCheck => ({
      ...tryQueue(id, folder),
      key: ["exporters", id, "sending_queue", "storage"],
    })),
  ];
}

async function tryExporter(
  { id, type, settings }: ConfiguredExporter,
  context: ProbeContext,
): Promise<HostCheck> {
  const name = `exporter ${id}`;
  const { warn } = context;
  const own: ExporterContext = {
    ...context,
    id,
    reloading: true, // nothing is emptied
    warn: (message) => warn(`${id}: ${message}`),
    stop: () => {},
  };
  using end = deadline(LIMIT_MS);
  const attempt = async (): Promise<HostCheck> => {
    if (type.probe !== undefined) {
      await type.probe(settings, own);
      return { name, result: "ok", found: "can be written to" };
    }
    const exporter = await type.open(settings, own);
    try {
      const nothing = new SessionBatch(new Uint8Array());
      return { name, ...resultOf(id, await exporter.export(nothing, end.signal), exporter) };
    } finally {
      await exporter.shutdown();
    }
  };
  try {
    return await unlessAborted(attempt(), end.signal);
  } catch (error) {
    return failureOf(name, error);
  }
}

function resultOf(
  id: string,
  outcome: ExportOutcome,
  { destination }: Exporter,
): Omit<HostCheck, "name"> {
  switch (outcome.status) {
    case "success": {
      const ready = destination === undefined ? "ready" : `ready: ${destination}`;
      return { result: "ok", found: outcome.message ?? ready };
    }
    case "retryable":
      return {
        result: "no",
        found: outcome.reason,
        advice: "sessions wait in the exporter's queue until this is mended, or what " +
          `exporters.${id} names is up`,
      };
    case "failure":
      return {
        result: "no",
        found: outcome.reason,
        advice: `see exporters.${id} in the config: its endpoint, protocol and headers`,
      };
  }
}

/** Whether sessions could wait on disk. */
function tryQueue(id: string, folder: string): HostCheck {
  const name = `queue of ${id}`;
  try {
    SpoolFolder.probe(folder, id);
    return { name, result: "ok", found: `can keep sessions in ${folder}` };
  } catch (error) {
    return failureOf(name, error);
  }
}
