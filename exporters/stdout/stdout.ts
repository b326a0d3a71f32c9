/** The exporter `stdout`: sessions as tcplife prints them, or as JSON. */
import type { SessionBatch } from "../../src/session/batch.ts";
import { messageOf, UsageError } from "../../src/messages/errors.ts";
import type { Exporter, ExporterContext, ExporterType, ExportOutcome } from "../../src/exporter.ts";
import { SENDING_QUEUE } from "../../src/queue/defaults.ts";
import { queueSettings } from "../../src/queue/settings.ts";
import { STDOUT, writeToStdout } from "./standard_output.ts";
import { CsvFormat } from "./csv.ts";
import { DEFAULTS } from "./defaults.ts";
import type { StdoutFormat } from "./format.ts";
import { type Cut, isReaderGone, LineOutput } from "./line_output.ts";
import type { StdoutSettings } from "./settings.ts";
import { TableFormat } from "./table.ts";

/** One for all exporters, also after the config was read again. */
const output = new LineOutput(writeToStdout);

/** The exporter type `stdout`. */
export const stdoutExporter: ExporterType<StdoutSettings> = {
  type: "stdout",
  summary: "tcplife's table, CSV, or JSON lines on standard output",
  otherNames: {
    console: '"stdout"',
    debug: '"stdout"',
    logging: '"stdout"',
    table: '"stdout"',
    csv: '"stdout" with format: csv',
    json: '"stdout" with format: json',
  },
  sendsSpans: false,
  defaults: DEFAULTS,
  environmentName: "console",
  flags: ["format", "time", "timestamp"],
  output: STDOUT,
  loadSchema: async () => (await import("./settings.ts")).stdoutSettings,
  loadExample: async () => (await import("./example.ts")).EXAMPLE,
  queue: () => queueSettings(SENDING_QUEUE, undefined, { batchSize: 4096, linger: 0 }),
  open: async (settings, context) =>
    new StdoutExporter({
      format: await openFormat(settings, context),
      output,
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
      if (time || timestamp) { // by a flag: the config's schema refuses the keys
        throw new UsageError(
          `cannot use ${time ? "-T" : "-t"}: exporters.${context.id} has format: json, ` +
            "where each line has start and end",
        );
      }
      const { JsonFormat } = await import("./json.ts");
      return new JsonFormat(await context.openSpans());
    }
  }
}

/** What a {@linkcode StdoutExporter} is made of. */
export interface StdoutExporterOptions {
  readonly format: StdoutFormat;
  readonly output: LineOutput;
  /** Called once, when the reader has gone. */
  readonly stop: () => void;
}

const encoder = new TextEncoder();

/**
 * Writes each batch at once. If the reader has gone, the program ends without an error: batches
 * that still come count as taken.
 */
export class StdoutExporter implements Exporter {
  readonly #format: StdoutFormat;
  readonly #output: LineOutput;
  readonly #stop: () => void;
  #readerGone = false;

  constructor({ format, output, stop }: StdoutExporterOptions) {
    this.#format = format;
    this.#output = output;
    this.#stop = stop;
  }

  /** Prints the header, so that an idle run shows it. @throws {UsageError} if stdout can't be written to */
  async start(signal: AbortSignal): Promise<void> {
    if (this.#format.header === "") return;
    const cut = await this.#print(encoder.encode(this.#format.header), signal);
    if (cut === undefined || signal.aborted) return;
    throw new UsageError(cannotWrite(cut.error), { cause: cut.error });
  }

  async export(batch: SessionBatch, signal: AbortSignal): Promise<ExportOutcome> {
    if (this.#readerGone) return { status: "success" };
    const cut = await this.#print(this.#format.format(batch), signal);
    if (cut === undefined) return { status: "success" };
    const { error, whole, unfinished } = cut;
    return { status: "failure", reason: cannotWrite(error), delivered: whole, unfinished };
  }

  /** Tries a last time to finish a row that was cut off; nothing else is held back. */
  async shutdown(): Promise<void> {
    if (!this.#readerGone) await this.#output.finish();
  }

  async #print(lines: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<Cut | undefined> {
    const cut = await this.#output.print(lines, signal);
    if (cut === undefined || !isReaderGone(cut.error)) return cut;
    this.#readerGone = true;
    this.#stop();
    return undefined;
  }
}

function cannotWrite(error: unknown): string {
  return `cannot write to stdout: ${messageOf(error)}`;
}
