import * as z from "../../vendor/zod.js";
import { isCidr } from "../net/cidr.ts";

const EXPECTED = "a network such as 10.0.0.0/8 or 2001:db8::/32, or one address";

/** A config value that is a network in CIDR form, or a single address. */
export function network(): z.ZodString {
  return z.string(EXPECTED).refine(isCidr, EXPECTED);
}
