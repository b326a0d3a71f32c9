import * as z from "../../vendor/zod.js";

const EXPECTED = "the path of a file";

/** A config value that is the path of a file, which need not exist. */
export function filePath(): z.ZodString {
  return z.string(EXPECTED).min(1, EXPECTED);
}
