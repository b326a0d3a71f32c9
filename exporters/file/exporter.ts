/** Writes OTLP JSON lines that the Collector can read, compressed on demand. */
import { Buffer } from "node:buffer";
import { resolve } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { promisify } from "node:util";
import { gzip, zstdCompress } from "node:zlib";
import type { SessionBatch } from "../../src/batch.ts";
import { UsageError } from "../../src/errors.ts";
import type { Exporter, ExporterContext, ExportOutcome, Spans } from "../../src/exporter.ts";
import { isSystemError, systemReason } from "../../src/system_error.ts";
import { encodeLines } from "./lines.ts";
import { openReason } from "./reason.ts";
import { RotatingFile } from "./rotation.ts";
import type { FileSettings } from "./settings.ts";

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
  const path = resolve(context.baseDirectory, settings.path);
  const problem = `exporters.${context.id}.path: cannot write ${path}`;
  const maxBytes = rotation.max_megabytes > 0 ? rotation.max_megabytes * MEBIBYTE : Infinity;
  try {
    if (await isSpecial(path)) {
      throw new UsageError(`${problem}: it is not a regular file: name another`);
    }
    const { toSpan } = await context.openSpans();
    const file = await RotatingFile.open(path, {
      append,
      rotation: { maxBytes, maxBackups: rotation.max_backups, maxDays: rotation.max_days },
      text: compression === "none",
      warn: context.warn,
    });
    return new FileExporter(path, file, maxBytes, ENCODERS[compression], toSpan);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new UsageError(`${problem}: ${openReason(path, error)}`);
  }
}

class FileExporter implements Exporter {
  constructor(
    private readonly path: string,
    private readonly file: RotatingFile,
    private readonly maxBytes: number,
    private readonly encode: Encoder,
    private readonly toSpan: Spans["toSpan"],
  ) {}

  /** A retry after a rotation in the midst of a batch repeats what is in the older file. */
  async export(batch: SessionBatch): Promise<ExportOutcome> {
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
        reason: `cannot write ${this.path}: ${systemReason(error)}`,
      };
    }
  }

  shutdown(): Promise<void> {
    this.file.close();
    return Promise.resolve();
  }

  /** The lines of `batch`, as many together as fit into a file. */
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

/** Whether something is at `path` that cannot be put aside and begun anew, such as a pipe. */
async function isSpecial(path: string): Promise<boolean> {
  try {
    const { isFile, isDirectory } = await Deno.stat(path);
    return !isFile && !isDirectory;
  } catch {
    return false; // opening it will tell
  }
}
