import assert from "node:assert/strict";
import type * as z from "zod";
import { isCidr, parseNetwork } from "../../src/net/cidr.ts";
import { duration } from "../../src/config/duration.ts";
import { network } from "../../src/config/network.ts";
import { size } from "../../src/config/size.ts";
import { parseResourceAttributes } from "../../src/run/resource_attributes.ts";
import { toText } from "./expect.ts";
import { fuzz } from "./fuzz.ts";

const NUMBERS: readonly z.ZodType<number, string>[] = [duration(), size()];

/** Durations, sizes, networks and lists of attributes in any text. */
fuzz("values", (bytes) => {
  const text = toText(bytes);
  for (const schema of NUMBERS) {
    const { success, data } = schema.safeParse(text);
    if (success) assert.ok(Number.isSafeInteger(data) && data >= 0, `${text}: ${data}`);
  }
  if (network().safeParse(text).success) {
    assert.ok(isCidr(text));
    parseNetwork(text);
  }
  for (const value of Object.values(parseResourceAttributes(text) ?? {})) {
    assert.equal(typeof value, "string");
  }
}, { tokens: ["ms", "h", "MiB", "GiB", "/128", "/0", "::", ".", "%2C", "=", ",", "1".repeat(30)] });
