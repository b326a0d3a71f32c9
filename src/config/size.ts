import * as z from "../../vendor/zod.js";
import { parseSize } from "./units.ts";

/**
 * A config value that is a number of bytes with its unit: `4096B`, `256KiB`, `16MiB`, `1GiB`. Its
 * output is bytes.
 * @param allowed whether a number of bytes is allowed
 * @param expected what is expected, for messages
 */
export function size(
  allowed: (bytes: number) => boolean = Number.isSafeInteger,
  expected = "a size such as 256KiB or 16MiB",
): z.ZodType<number, string> {
  return z.string(expected).regex(/^\d+(B|KiB|MiB|GiB)$/, expected).transform((text, context) => {
    const bytes = parseSize(text);
    if (bytes !== undefined && allowed(bytes)) return bytes;
    context.addIssue({ code: "custom", message: expected });
    return z.NEVER;
  });
}
