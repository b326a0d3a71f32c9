/** Queues as they are configured: in memory, or with a place on disk. */
import { resolve } from "node:path";
import { newCounters } from "./counters.ts";
import { ExporterQueue, type OpenStorage } from "./queue.ts";
import { batchMemory } from "./store.ts";
import { type Clock, systemClock } from "../clock.ts";
import { UsageError } from "../messages/errors.ts";
import type { Exporter, QueueSettings, StorageSettings } from "../exporter.ts";
import type { Warn } from "../messages/log.ts";
import { countSessions } from "../messages/words.ts";
import { isSystemError } from "../messages/system_error.ts";

/** What a queue is made of. */
export interface OpenQueueOptions {
  /** The exporter's id, for messages and the name of its folder. */
  readonly id: string;
  readonly exporter: Exporter;
  readonly settings: QueueSettings;
  /** Takes a message to the user. */
  readonly warn: Warn;
  /** Takes a message that is not a warning. */
  readonly inform: Warn;
  /** Folder that a relative `storage` is relative to. */
  readonly baseDirectory: string;
  readonly clock?: Clock;
}

/**
 * Opens the queue in front of an exporter. What an earlier run has left on disk is delivered first.
 * @throws {UsageError} if its place on disk cannot be used; the exporter is shut down then
 */
export async function openQueue(options: OpenQueueOptions): Promise<ExporterQueue> {
  const { id, exporter, settings, warn, inform, clock } = options;
  try {
    const storage = settings.storage && await openStorage(settings.storage, options);
    return new ExporterQueue(id, exporter, settings, warn, storage, clock, inform);
  } catch (error) {
    await exporter.shutdown();
    throw error;
  }
}

async function openStorage(
  { folder, maxBytes }: StorageSettings,
  { id, settings, baseDirectory, warn, inform, clock = systemClock }: OpenQueueOptions,
): Promise<OpenStorage> {
  const { SpoolFolder } = await import("./spool/folder.ts");
  const { Spool } = await import("./spool/spool.ts");
  const counters = newCounters();
  const memory = batchMemory(settings);
  try {
    const spool = new Spool({
      folder: new SpoolFolder(resolve(baseDirectory, folder), id),
      maxBytes,
      memory,
      counters,
      warn: (message) => warn(`${id}: ${message}`),
      clock,
    });
    if (counters.restored > 0) {
      const { restored } = counters;
      const found = `${countSessions(restored)} of an earlier run ${restored === 1 ? "is" : "are"}`;
      const message = `${id}: ${found} in ${spool.path}`;
      inform(message, { sessions: restored });
    }
    return { spool, memory, counters };
  } catch (error) {
    const key = `exporters.${id}.sending_queue.storage`;
    if (error instanceof UsageError) throw new UsageError(`${key}: ${error.message}`);
    if (!isSystemError(error) && !(error instanceof Deno.errors.NotCapable)) throw error;
    throw new UsageError(`${key}: cannot use ${resolve(baseDirectory, folder)}: ${error.message}`);
  }
}
