import * as z from "../../vendor/zod.js";
import { parseDuration } from "./units.ts";

const EXPECTED = "a duration of at most 24 days, such as 500ms, 30s or 1h30m";

/**
 * A config value that is a length of time as Go and the Collector write it: `500ms`, `30s`,
 * `1h30m`, `1.5s`. Its output is milliseconds, whole ones.
 */
export function duration(): z.ZodType<number, string> {
  return z.string(EXPECTED).regex(/^(\d+(\.\d+)?(ms|s|m|h))+$/, EXPECTED).transform(
    (text, context) => {
      const milliseconds = parseDuration(text);
      if (milliseconds !== undefined) return milliseconds;
      context.addIssue({ code: "custom", message: EXPECTED });
      return z.NEVER;
    },
  );
}
