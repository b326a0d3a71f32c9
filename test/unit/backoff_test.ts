/** How long to wait between the tries of an export. */
import assert from "node:assert/strict";
import { Backoff } from "../../src/queue/backoff.ts";
import { ManualClock } from "../manual_clock.ts";

/** Makes `Math.random()` always give `value`, until it is disposed of. */
function fixedRandom(value: number): Disposable {
  const { random } = Math;
  Math.random = () => value;
  return { [Symbol.dispose]: () => void (Math.random = random) };
}

const WAITS: readonly [random: number, waits: readonly number[]][] = [
  [0, [50, 75, 112.5, 150, 150]],
  [0.5, [100, 150, 225, 300, 300]],
  [1, [150, 225, 300, 300, 300]],
];

for (const [random, waits] of WAITS) {
  Deno.test(`waits grow by half up to the longest, with a jitter of half in both directions: ${random}`, () => {
    using _random = fixedRandom(random);
    const retry = { initialInterval: 100, maxInterval: 300, maxElapsedTime: 0 };
    const backoff = new Backoff(retry, new ManualClock());
    assert.deepEqual(waits.map(() => backoff.next()), waits);
  });
}

Deno.test("a wait is as long as the server asks for, also beyond max_interval", () => {
  using _random = fixedRandom(0.5);
  const retry = { initialInterval: 100, maxInterval: 300, maxElapsedTime: 0 };
  const backoff = new Backoff(retry, new ManualClock());
  assert.deepEqual([backoff.next(99), backoff.next(1000), backoff.next()], [100, 1000, 225]);
});

Deno.test("a wait that would end too late does not start", async () => {
  using _random = fixedRandom(0.5);
  const clock = new ManualClock();
  await clock.advance(5000); // before the first try
  const retry = { initialInterval: 100, maxInterval: 100, maxElapsedTime: 250 };
  const backoff = new Backoff(retry, clock);
  await clock.advance(150);
  assert.equal(backoff.next(), 100);
  await clock.advance(1);
  assert.equal(backoff.next(), undefined);
});

Deno.test("without retry there is no wait", () => {
  assert.equal(new Backoff(undefined, new ManualClock()).next(1), undefined);
});
