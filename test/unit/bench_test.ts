/** The parts of the bench that need no kernel. */
import { strict as assert } from "node:assert";
import { replaceMarked } from "../../bench/document.ts";
import { atMost, isMet, ratioAtMost, ratioOf, type Row } from "../../bench/row.ts";
import { median, spread } from "../../bench/statistics.ts";

Deno.test("median() of an odd and an even number of values, and of none", () => {
  assert.deepEqual([median([3, 1, 2]), median([4, 1, 2, 3]), median([])], [2, 2.5, NaN]);
});

Deno.test("spread() is the distance between the extremes, as a part of the median", () => {
  assert.equal(spread([9, 10, 12]), 0.3);
});

const ROW: Row = {
  figure: "time",
  unit: "s",
  peer: { of: "other", values: [10, 100, 10] },
  tcpspan: [1, 90, 2],
};

Deno.test("ratioOf() compares the measurements of each round, not the medians", () => {
  assert.equal(ratioOf(ROW), 0.2);
});

Deno.test("isMet() is undefined without a goal or without figures", () => {
  const goal = ratioAtMost(0.25, "a quarter");
  assert.equal(isMet(ROW), undefined);
  assert.equal(isMet({ ...ROW, tcpspan: [], goal }), undefined);
  assert.equal(isMet({ ...ROW, goal }), true);
  assert.equal(isMet({ ...ROW, goal: atMost(1, "one") }), false);
});

Deno.test("replaceMarked() keeps everything around the markers", () => {
  const document = "before\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nafter\n";
  assert.equal(
    replaceMarked(document, "new\n"),
    "before\n<!-- bench: begin -->\n\nnew\n\n<!-- bench: end -->\nafter\n",
  );
  assert.throws(() => replaceMarked("no markers", ""), /found no <!-- bench: begin -->/);
});
