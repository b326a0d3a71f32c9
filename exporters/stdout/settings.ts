import * as z from "../../vendor/zod.js";
import { DEFAULTS } from "./defaults.ts";

/** `exporters.stdout`: rows for people, tcplife's scripts, or JSON readers. */
export const stdoutSettings = z.strictObject({
  format: z.enum(["table", "wide", "csv", "json"])
    .default(DEFAULTS.format)
    .describe("table is tcplife's, wide is like -w, csv is like -s, json is one object a line."),
  time: z.boolean().default(DEFAULTS.time)
    .describe("The time of day before each row, like -T."),
  timestamp: z.boolean().default(DEFAULTS.timestamp)
    .describe("Seconds since the first row before each row, like -t."),
}).describe("Rows on standard output.");

/** Settings of the stdout exporter. */
export type StdoutSettings = z.output<typeof stdoutSettings>;
