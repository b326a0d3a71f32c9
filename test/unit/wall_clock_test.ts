import { strict as assert } from "node:assert";
import { bootTimeNs, taiOffsetNs, wallOffsetNs } from "../../ffi/clock.ts";
import { WallClock } from "../../src/capture/wall_clock.ts";

const TOLERANCE_NS = 100_000n; // what docs/span.md promises

function assertNear(one: bigint, other: bigint): void {
  const difference = one > other ? one - other : other - one;
  assert.ok(difference < TOLERANCE_NS, `${difference} ns apart`);
}

Deno.test("offsetAt() leads from the boot clock to the wall clock", () => {
  const clock = new WallClock();
  const before = BigInt(Date.now()) * 1_000_000n;
  const bootNs = bootTimeNs();
  const now = bootNs + clock.offsetAt(bootNs);
  const after = BigInt(Date.now() + 1) * 1_000_000n;
  assert.ok(now > before - TOLERANCE_NS && now < after + TOLERANCE_NS);
});

Deno.test("offsetAt() is the same for any time while nobody sets the wall clock", () => {
  const clock = new WallClock();
  const offset = clock.offsetAt(0n);
  for (const bootNs of [1n, bootTimeNs(), 2n ** 62n]) {
    assert.equal(clock.offsetAt(bootNs), offset);
  }
});

Deno.test("after a step offsetAt() keeps the old offset for the time before it", () => {
  const clock = new WallClock();
  const before = bootTimeNs();
  const old = clock.offsetAt(before);
  let after = before;
  // two readings may be equal to the nanosecond, a hundred are not
  for (let i = 0; i < 100 && clock.offsetAt(after) === old; i++) {
    clock.step();
    after = bootTimeNs();
  }
  assert.notEqual(clock.offsetAt(after), old);
  assert.equal(clock.offsetAt(before), old);
  assertNear(clock.offsetAt(after), wallOffsetNs());
});

Deno.test("a clock that is stepped without end forgets the oldest steps", () => {
  const clock = new WallClock();
  for (let i = 0; i < 1000; i++) clock.step();
  assertNear(clock.offsetAt(0n), wallOffsetNs()); // the oldest offset that is kept
  assertNear(clock.offsetAt(bootTimeNs()), wallOffsetNs());
});

const GAPS: [name: string, gapNs: bigint, offsetNs: bigint][] = [
  ["sees no step if the program paused between reading the two clocks", 20_000_000n, 0n],
  ["finds a step forward that was undone unseen", 3_000_000_000n, 3_000_000_000n],
  ["finds a step back that was undone unseen", -3_000_000_000n, -3_000_000_000n],
];

for (const [name, gapNs, offsetNs] of GAPS) {
  Deno.test(`offsetOfTai() ${name}`, () => {
    const clock = new WallClock();
    const found = clock.offsetOfTai(taiBootOffset() + gapNs, bootTimeNs());
    assertNear(found - offsetNs, wallOffsetNs());
  });
}

/** CLOCK_TAI − CLOCK_BOOTTIME, as the kernel program measures it. */
function taiBootOffset(): bigint {
  return wallOffsetNs() + taiOffsetNs();
}
