import * as z from "../../vendor/zod.js";
import { MAX_DURATION } from "./limits.ts";

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 6e4, h: 3.6e6 };

const EXPECTED = "a duration of at most 24 days, such as 500ms, 30s or 1h30m";

/**
 * A config value that is a length of time as Go and the Collector write it: `500ms`, `30s`,
 * `1h30m`, `1.5s`. Its output is milliseconds, whole ones.
 */
export function duration(): z.ZodType<number, string> {
  return z.string(EXPECTED).regex(/^(\d+(\.\d+)?(ms|s|m|h))+$/, EXPECTED).transform(
    (text, context) => {
      let sum = 0;
      for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
        sum += Number(number) * (MILLISECONDS[unit ?? ""] ?? NaN);
      }
      if (sum <= MAX_DURATION) return Math.round(sum);
      context.addIssue({ code: "custom", message: EXPECTED });
      return z.NEVER;
    },
  );
}
