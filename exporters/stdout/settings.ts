import * as z from "../../vendor/zod.js";
import { DEFAULTS } from "./defaults.ts";

/** `exporters.stdout`: rows for people, tcplife's scripts, or JSON readers. */
export const stdoutSettings = z.strictObject({
  format: z.enum(["table", "wide", "csv", "json"])
    .default(DEFAULTS.format)
    .describe("table is tcplife's, wide as with -w, csv as with -s, json one object a line."),
  time: z.boolean().default(DEFAULTS.time)
    .describe("The time of day before each row, as -T."),
  timestamp: z.boolean().default(DEFAULTS.timestamp)
    .describe("Seconds since the first row before each row, as -t."),
}).describe("Rows on standard output.");

/** Settings of the stdout exporter. */
export type StdoutSettings = z.output<typeof stdoutSettings>;
