/** How long a reader of the ring sleeps under load. */
import assert from "node:assert/strict";
import { Pace } from "../../src/capture/pace.ts";
import { stopClock } from "../clock.ts";

const MIB = 1024 * 1024;

const SLEEPS: readonly [what: string, ring: number, bytes: number, inMs: number, sleep: number][] =
  [
    ["as long as a 16th of the ring takes to fill", 16 * MIB, MIB, 50, 50],
    ["shorter at a higher rate", 16 * MIB, 2 * MIB, 50, 25],
    ["10 ms at least", 16 * MIB, 8 * MIB, 1, 10],
    ["100 ms at most", 16 * MIB, 1, 50, 100],
    ["no longer than a peak of 30,000 bytes a ms takes for a quarter", 6_000_000, 1, 50, 50],
    ["10 ms also if a peak fills the ring sooner", 0.5 * MIB, 1, 50, 10],
  ];

for (const [what, ring, bytes, inMs, sleep] of SLEEPS) {
  Deno.test(`the reader sleeps ${what}`, () => {
    using clock = stopClock();
    const pace = new Pace(ring);
    clock.advance(inMs);
    assert.equal(pace.next(bytes), sleep);
  });
}

Deno.test("the rate is measured since the last reading", () => {
  using clock = stopClock();
  const pace = new Pace(16 * MIB);
  clock.advance(1000);
  assert.equal(pace.next(MIB), 100);
  clock.advance(50);
  assert.equal(pace.next(2 * MIB), 25);
});
