import { strict as assert } from "node:assert";
import { bootTimeNs, wallOffsetNs } from "../../ffi/clock.ts";
import { WallClock } from "../../src/wall_clock.ts";

const TOLERANCE_NS = 100_000n; // what docs/span.md promises

function assertNear(one: bigint, other: bigint): void {
  const difference = one > other ? one - other : other - one;
  assert.ok(difference < TOLERANCE_NS, `${difference} ns apart`);
}

Deno.test("offset leads from the boot clock to the wall clock", () => {
  const clock = new WallClock();
  const before = BigInt(Date.now()) * 1_000_000n;
  const now = bootTimeNs() + clock.offset;
  const after = BigInt(Date.now() + 1) * 1_000_000n;
  assert.ok(now > before - TOLERANCE_NS && now < after + TOLERANCE_NS);
});

Deno.test("offsetAt() is the same at any time while nobody sets the wall clock", () => {
  const clock = new WallClock();
  for (const bootNs of [0n, 1n, bootTimeNs(), 2n ** 62n]) {
    assert.equal(clock.offsetAt(bootNs), clock.offset);
  }
});

Deno.test("after a step offsetAt() keeps the old offset for the time before it", () => {
  const clock = new WallClock();
  const old = clock.offset;
  const before = bootTimeNs();
  assert.equal(clock.since, 0n);
  clock.step();
  assert.ok(clock.since >= before && clock.since <= bootTimeNs());
  assert.equal(clock.offsetAt(before), old);
  assert.equal(clock.offsetAt(clock.since - 1n), old);
  assert.equal(clock.offsetAt(clock.since), clock.offset);
  assertNear(clock.offset, wallOffsetNs()); // measured again
});

Deno.test("a clock that is stepped without end forgets the oldest steps", () => {
  const clock = new WallClock();
  for (let i = 0; i < 1000; i++) clock.step();
  assertNear(clock.offsetAt(0n), wallOffsetNs()); // the oldest that is kept
  assertNear(clock.offsetAt(bootTimeNs()), wallOffsetNs());
});
