/** `deno task soak`: minutes of random sessions, every one checked. */
import { parseArgs } from "node:util";
import { describe } from "./judge.ts";
import { objections, soak } from "./run.ts";
import { randomSeed } from "./seed.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "180" },
    rate: { type: "string", default: "1000" },
    seed: { type: "string" },
    rps: { type: "boolean", default: false },
  },
});
const seed = values.seed === undefined ? randomSeed() : BigInt(values.seed);
const seconds = Number(values.seconds);
const rate = Number(values.rate);
console.error(`soak: seed ${seed}, ${seconds} s, ${rate} sessions a second`);
const result = await soak({
  seed,
  seconds,
  rate,
  steer: values.rps,
  progress: (sessions) => console.error(`soak: ${sessions} sessions`),
});
console.log(`seed ${seed}: ${result.sessions} sessions in ${result.seconds.toFixed(1)} s`);
console.log(describe(result));
const { unseen, other, skippedRuns } = result.losses;
console.log(`counted: ${unseen} unseen, ${other} lost otherwise, ${skippedRuns} runs skipped`);
const wrong = objections(result);
for (const objection of wrong) console.log(`wrong: ${objection}`);
Deno.exitCode = wrong.length === 0 ? 0 : 1;
