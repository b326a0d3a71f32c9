import * as z from "../../vendor/zod.js";
import { DEFAULTS } from "./defaults.ts";

const NOT_IN_JSON = "false with format: json, where each line has start and end";

/** Makes a check run also when other keys are wrong, so that all problems show at once. */
const always = () => true;

/** Checks a key that only rows have. The types of settings are not checked yet. */
function isNotAskedOfJson(key: "time" | "timestamp") {
  return (settings: Readonly<Record<string, unknown>>) =>
    settings["format"] !== "json" || settings[key] !== true;
}

/** `exporters.stdout`: rows for people, tcplife's scripts, or JSON readers. */
export const stdoutSettings = z.strictObject({
  format: z.enum(["table", "wide", "csv", "json"])
    .default(DEFAULTS.format)
    .describe("table is tcplife's, wide is like -w, csv is like -s, json is one object a line."),
  time: z.boolean().default(DEFAULTS.time)
    .describe("The time of day before each row, like -T."),
  timestamp: z.boolean().default(DEFAULTS.timestamp)
    .describe("Seconds since the first row before each row, like -t."),
})
  .refine(isNotAskedOfJson("time"), { path: ["time"], error: NOT_IN_JSON, when: always })
  .refine(isNotAskedOfJson("timestamp"), { path: ["timestamp"], error: NOT_IN_JSON, when: always })
  .describe("Rows on standard output.");

/** Settings of the stdout exporter. */
export type StdoutSettings = z.output<typeof stdoutSettings>;
