import * as z from "../../vendor/zod.js";

/**
 * A config value that is a whole number within bounds.
 * @param what what is expected, for messages; the bounds are added
 */
export function integer(min: number, max: number, what = "a whole number"): z.ZodInt {
  const expected = `${what} from ${min} to ${max}`;
  return z.int(expected).min(min, expected).max(max, expected);
}
