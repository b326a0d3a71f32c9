/** What a time namespace adds to the boot clock. */
import assert from "node:assert/strict";
import { parseBootOffset } from "../../ffi/clock.ts";

const OFFSETS: readonly [what: string, text: string, ns: bigint][] = [
  ["none", "monotonic           0         0\nboottime            0         0\n", 0n],
  ["a later boot clock", "monotonic 5 6\nboottime       100000         7\n", 100_000_000_000_007n],
  [
    "an earlier one",
    "monotonic           0         0\nboottime -100  900000000\n",
    -99_100_000_000n,
  ],
  ["no time namespaces", "", 0n],
];

for (const [what, text, ns] of OFFSETS) {
  Deno.test(`parseBootOffset() of ${what}`, () => assert.equal(parseBootOffset(text), ns));
}
