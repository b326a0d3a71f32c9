import * as z from "../../vendor/zod.js";
import { filePath } from "../../src/config/file_path.ts";
import { integer } from "../../src/config/integer.ts";
import { section } from "../../src/config/section.ts";
import { retryOnFailure, sendingQueue } from "../../src/queue/schema.ts";

const LARGEST = 1_000_000;

/** `exporters.file`: OTLP JSON lines, as the Collector's file exporter writes them. */
export const fileSettings = z.strictObject({
  path: filePath().describe("The file to write; its folder must exist."),
  append: z.boolean().default(true)
    .describe("Append to a file that exists, rather than empty it."),
  rotation: section({
    max_megabytes: integer(0, LARGEST, "megabytes").default(100)
      .describe("A file of this size (in MiB) is put aside and a new one started; 0: never."),
    max_backups: integer(0, LARGEST, "a number of files").default(5)
      .describe("How many files that were put aside are kept; 0: all."),
    max_days: integer(0, LARGEST, "a number of days").default(7)
      .describe("Days that a file that was put aside is kept; 0: for ever."),
  }).describe("When a file is put aside, and which are kept."),
  compression: z.enum(["none", "gzip", "zstd"]).default("none")
    .describe("How the file is compressed."),
  sending_queue: sendingQueue,
  retry_on_failure: retryOnFailure,
}).describe("OTLP JSON lines in a file.");

/** Settings of the file exporter. */
export type FileSettings = z.output<typeof fileSettings>;
