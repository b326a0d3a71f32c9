/** The exporter `stdout`: sessions as tcplife prints them, or as JSON. */
import { unlessAborted } from "../../src/abort.ts";
import type { SessionBatch } from "../../src/batch.ts";
import { messageOf, UsageError } from "../../src/errors.ts";
import type { Exporter, ExporterContext, ExporterType, ExportOutcome } from "../../src/exporter.ts";
import { SENDING_QUEUE } from "../../src/queue/queue_defaults.ts";
import { queueSettings } from "../../src/queue/queue_settings.ts";
import { writeToStdout } from "../../src/standard_output.ts";
import { CsvFormat } from "./csv.ts";
import { DEFAULTS } from "./defaults.ts";
import { LINE_END, type StdoutFormat } from "./format.ts";
import type { StdoutSettings } from "./settings.ts";
import { TableFormat } from "./table.ts";

/** The exporter type `stdout`. */
export const stdoutExporter: ExporterType<StdoutSettings> = {
  type: "stdout",
  summary: "tcplife's table, CSV, or JSON lines on standard output",
  sendsSpans: false,
  defaults: DEFAULTS,
  loadSchema: async () => (await import("./settings.ts")).stdoutSettings,
  queue: () => queueSettings(SENDING_QUEUE, undefined, { batchSize: 4096, linger: 0 }),
  open: async (settings, context) =>
    new StdoutExporter({
      format: await openFormat(settings, context),
      write: writeToStdout,
      stop: context.stop,
    }),
};

async function openFormat(
  { format, time, timestamp }: StdoutSettings,
  context: ExporterContext,
): Promise<StdoutFormat> {
  switch (format) {
    case "table":
    case "wide":
      return new TableFormat({ wide: format === "wide", time, timestamp });
    case "csv":
      return new CsvFormat({ time, timestamp });
    case "json": {
      const { JsonFormat } = await import("./json.ts");
      return new JsonFormat((await context.openSpans()).source);
    }
  }
}

/** What a {@linkcode StdoutExporter} is made of. */
export interface StdoutExporterOptions {
  readonly format: StdoutFormat;
  /** Writes some of the bytes and tells how many, as `Deno.stdout.write` does. */
  readonly write: (bytes: Uint8Array<ArrayBuffer>) => Promise<number>;
  /** Called once, when the reader has gone. */
  readonly stop: () => void;
}

const FULL_PIPE_WAIT_MS = 5;

const encoder = new TextEncoder();

/**
 * Writes each batch at once. A reader that has gone is the end of the program and no error: the
 * batches that are still to come count as taken.
 */
export class StdoutExporter implements Exporter {
  readonly #format: StdoutFormat;
  readonly #write: StdoutExporterOptions["write"];
  readonly #stop: () => void;
  #readerGone = false;
  #insideLine = false;

  constructor({ format, write, stop }: StdoutExporterOptions) {
    this.#format = format;
    this.#write = write;
    this.#stop = stop;
  }

  /** Prints the header, so that an idle run shows it. @throws {UsageError} if stdout can't be written to */
  async start(signal: AbortSignal): Promise<void> {
    try {
      await this.#print([encoder.encode(this.#format.header)], signal);
    } catch (error) {
      if (signal.aborted) return;
      throw new UsageError(cannotWrite(error), { cause: error });
    }
  }

  async export(batch: SessionBatch, signal: AbortSignal): Promise<ExportOutcome> {
    if (this.#readerGone) return { status: "success" };
    // what an earlier failure cut off must not swallow the next line
    const lineEnd = this.#insideLine ? [Uint8Array.of(LINE_END)] : [];
    const rows = this.#format.format(batch);
    try {
      await this.#print([...lineEnd, rows], signal);
      return { status: "success" };
    } catch (error) {
      return { status: "failure", reason: cannotWrite(error) };
    }
  }

  async shutdown(): Promise<void> {
    // nothing is held back
  }

  async #print(parts: readonly Uint8Array<ArrayBuffer>[], signal: AbortSignal): Promise<void> {
    try {
      for (let bytes of parts) {
        while (bytes.length > 0) {
          const written = await this.#writeSome(bytes, signal);
          if (written > 0) this.#insideLine = bytes[written - 1] !== LINE_END;
          bytes = bytes.subarray(written);
        }
      }
    } catch (error) {
      if (!isReaderGone(error)) throw error;
      this.#readerGone = true;
      this.#stop();
    }
  }

  /** Writes what the reader takes; waits while it takes nothing. */
  async #writeSome(bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    try {
      return await unlessAborted(this.#write(bytes), signal);
    } catch (error) {
      // a full pipe that another process set O_NONBLOCK on
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      await unlessAborted(delay(FULL_PIPE_WAIT_MS), signal);
      return 0;
    }
  }
}

/** A pipe without a reader, or a socket whose other end was closed. */
function isReaderGone(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset;
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resume) => setTimeout(resume, milliseconds));
}

function cannotWrite(error: unknown): string {
  return `cannot write to stdout: ${messageOf(error)}`;
}
