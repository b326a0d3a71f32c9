/** Random sessions of all kinds, for some seconds: each end is reported once, and correctly. */
import { strict as assert } from "node:assert";
import { describe } from "./judge.ts";
import { objections, soak } from "./run.ts";
import { randomSeed } from "./seed.ts";

const SECONDS = 8;
const RATE = 1000;

Deno.test("every end of thousands of random sessions has one span, right in every field", async () => {
  const seed = randomSeed();
  console.log(`TCPSPAN_SOAK_SEED=${seed} repeats this run`);
  const result = await soak({ seed, seconds: SECONDS, rate: RATE });
  assert.ok(result.sessions >= 1000, `only ${result.sessions} sessions`);
  assert.deepEqual(objections(result), [], `seed ${seed}: ${describe(result)}`);
});
