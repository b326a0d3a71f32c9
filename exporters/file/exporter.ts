/** Writes OTLP JSON lines that the Collector can read, compressed if configured. */
import { Buffer } from "node:buffer";
import { resolve } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { promisify } from "node:util";
import { gzip, zstdCompress } from "node:zlib";
import type { SessionBatch } from "../../src/session/batch.ts";
import type { ToSpan } from "../../src/span/span_sink.ts";
import type { Exporter, ExporterContext, ExportOutcome } from "../../src/exporter.ts";
import { isSystemError } from "../../src/messages/system_error.ts";
import { encodeLines } from "./lines.ts";
import { openReason, writeReason } from "./reason.ts";
import { RotatingFile } from "./rotation.ts";
import type { FileSettings } from "./settings.ts";
import { targetOf } from "../../src/host/link_target.ts";
import { requireUsable, unwritable } from "./check.ts";

/**
 * From lines to what is appended to the file: a whole gzip member or zstd frame, of which a file may
 * hold many, so that zcat and zstdcat read it.
 */
const ENCODERS = {
  none: (lines: Uint8Array) => Promise.resolve(lines),
  gzip: promisify<Uint8Array, Uint8Array>(gzip),
  zstd: promisify<Uint8Array, Uint8Array>(zstdCompress),
} as const satisfies Record<FileSettings["compression"], Encoder>;

type Encoder = (lines: Uint8Array) => Promise<Uint8Array>;

const MEBIBYTE = 1024 * 1024;

/** @throws {UsageError} if the file cannot be written */
export async function openFile(
  settings: FileSettings,
  context: ExporterContext,
): Promise<Exporter> {
  const { append, compression, rotation } = settings;
  const maxBytes = rotation.max_megabytes > 0 ? rotation.max_megabytes * MEBIBYTE : Infinity;
  return await atPath(settings, context, async (path) => {
    const { toSpan } = await context.openSpans();
    const file = await RotatingFile.open(path, {
      append: append || context.reloading,
      rotation: { maxBytes, maxBackups: rotation.max_backups, maxDays: rotation.max_days },
      text: compression === "none",
      warn: context.warn,
    });
    return new FileExporter(path, file, maxBytes, ENCODERS[compression], toSpan);
  });
}

/** Opens the file, or creates and removes it. @throws {UsageError} if it cannot be written */
export async function probeFile(settings: FileSettings, context: ExporterContext): Promise<void> {
  await atPath(settings, context, async (path) => {
    const target = await targetOf(path); // of a link to nothing, the link is no new file
    try {
      (await Deno.open(target, { write: true, createNew: true })).close();
      await Deno.remove(target);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      (await Deno.open(path, { append: true })).close();
    }
  });
}

/** Does something with the file at the settings' path. @throws {UsageError} if the system refuses */
async function atPath<Result>(
  settings: FileSettings,
  context: ExporterContext,
  act: (path: string) => Promise<Result>,
): Promise<Result> {
  const path = resolve(context.baseDirectory, settings.path);
  await requireUsable(path, context.id);
  try {
    return await act(path);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw unwritable(path, context.id, openReason(await targetOf(path), error));
  }
}

class FileExporter implements Exporter {
  /** Until it resolves the file is in use. */
  #busy: Promise<unknown> = Promise.resolve();

  constructor(
    /** The file's path. */
    readonly destination: string,
    private readonly file: RotatingFile,
    private readonly maxBytes: number,
    private readonly encode: Encoder,
    private readonly toSpan: ToSpan,
  ) {}

  lookAnew(): void {
    // if no new file can be started, the next write fails and says why
    this.#busy = this.#busy.then(() => this.file.lookAnew()).catch(() => {});
  }

  export(batch: SessionBatch): Promise<ExportOutcome> {
    const outcome = this.#busy.then(() => this.#append(batch));
    this.#busy = outcome.catch(() => {});
    return outcome;
  }

  shutdown(): Promise<void> {
    this.file.close();
    return Promise.resolve();
  }

  /** A retry after a rotation in the middle of a batch repeats what is in the older file. */
  async #append(batch: SessionBatch): Promise<ExportOutcome> {
    try {
      for await (const lines of this.#pieces(batch)) {
        await this.file.write(await this.encode(lines));
      }
      return { status: "success" };
    } catch (error) {
      if (!isSystemError(error)) throw error;
      // A full disk, a quota, a failing or read-only mount: each may pass.
      return {
        status: "retryable",
        reason: `cannot write ${this.destination}: ${
          writeReason(await targetOf(this.destination), error)
        }`,
      };
    }
  }

  /** The lines of `batch`, joined up to the size of a file. */
  async *#pieces(batch: SessionBatch): AsyncGenerator<Uint8Array> {
    let lines: Uint8Array[] = [];
    let size = 0;
    for (const line of encodeLines(batch, this.toSpan)) {
      if (size > 0 && size + line.length > this.maxBytes) {
        yield Buffer.concat(lines);
        lines = [];
        size = 0;
      }
      lines.push(line);
      size += line.length;
      await turn(); // the ring must be read in between
    }
    if (size > 0) yield Buffer.concat(lines);
  }
}
