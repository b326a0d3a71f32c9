/** Thresholds of consistent probability sampling, and what spans say about them. */
import { strict as assert } from "node:assert";
import fc from "fast-check";
import { threshold, thresholdText } from "../../src/ids/sampling.ts";
import { SampledTraceStates } from "../../src/span/trace_states.ts";

/** The table of "TraceState: Probability Sampling" in OpenTelemetry's specification, 4 digits. */
const TABLE: readonly [ratio: number, th: string][] = [
  [1, "0"],
  [1 / 2, "8"],
  [1 / 3, "aaab"],
  [1 / 4, "c"],
  [1 / 5, "cccd"],
  [1 / 8, "e"],
  [1 / 10, "e666"],
  [1 / 16, "f"],
  [1 / 100, "fd70a"],
  [1 / 1000, "ffbe77"],
  [1 / 10_000, "fff9724"],
  [1 / 100_000, "ffff583a"],
  [1 / 1_000_000, "ffffef39"],
];

for (const [ratio, th] of TABLE) {
  Deno.test(`the threshold of 1 in ${Math.round(1 / ratio)} is ${th}`, () => {
    assert.equal(thresholdText(ratio), th);
  });
}

Deno.test("threshold() is th as a number of 56 bits, filled up with zeros at its end", () => {
  assert.equal(threshold("0"), 0n);
  assert.equal(threshold("8"), 2n ** 55n);
  assert.equal(threshold("c"), 3n * 2n ** 54n);
  assert.equal(threshold("fd70a4"), 71337018784743424n); // the specification's example
});

Deno.test("the threshold keeps the configured ratio to four digits", () => {
  const ratios = fc.double({ min: 2 ** -40, max: 1, minExcluded: true, noNaN: true });
  fc.assert(fc.property(ratios, (ratio) => {
    const th = thresholdText(ratio);
    assert.match(th, /^(0|[0-9a-f]{0,13}[1-9a-f])$/);
    const kept = Number(2n ** 56n - threshold(th)) / 2 ** 56;
    assert.ok(Math.abs(kept - ratio) <= ratio * 2 ** -12 + 2 ** -17, `${kept}, not ${ratio}`);
  }));
});

Deno.test("ratios near 0 and 1 have thresholds too", () => {
  assert.equal(thresholdText(1 - 1e-9), "0");
  assert.equal(thresholdText(2 ** -60), "ffffffffffff");
});

for (const ratio of [0, -0.1, 1.1, NaN, Infinity]) {
  Deno.test(`${ratio} is refused as a ratio`, () => {
    assert.throws(() => thresholdText(ratio), {
      name: "RangeError",
      message: `cannot sample with the ratio ${ratio}: ratios are above 0, and 1 at most`,
    });
  });
}

Deno.test("failures that are always kept stand only for themselves, other sessions for more", () => {
  const plain = new SampledTraceStates({ ratio: 0.1 });
  assert.deepEqual([false, true].map((failed) => plain.of(failed).text), [
    "ot=th:e666",
    "ot=th:e666",
  ]);
  const states = new SampledTraceStates({ ratio: 0.1, keepErrors: true });
  assert.deepEqual([false, true].map((failed) => states.of(failed).text), [
    "ot=th:e666",
    "ot=th:0",
  ]);
  assert.equal(states.of(false).object.serialize(), "ot=th:e666");
});
