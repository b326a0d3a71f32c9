/** Made equals delivered, by span id, plus counted as lost, whatever happens meanwhile. */
import { strict as assert } from "node:assert";
import { objectionsTo } from "./outcome.ts";
import { SHORT } from "./scale.ts";
import * as trials from "./trials.ts";

const NAMES: Record<keyof typeof trials, string> = {
  outage: "a receiver that is stopped, and comes back",
  busyOutage: "a receiver that is stopped while as many sessions come as can",
  kills: "SIGKILL at random moments, with programs pinned and a queue on disk",
  standstill: "SIGSTOP and SIGCONT: what the ring has no room for is counted",
  fullDisk: "a full disk, until there is room again",
  forbidden: "a folder that may not be written to for a while",
  soak: "many sessions and a receiver that goes away again and again, in steady memory",
};

for (const [name, what] of Object.entries(NAMES)) {
  Deno.test(`made equals delivered plus counted as lost: ${what}`, async () => {
    const outcome = await trials[name as keyof typeof trials](SHORT);
    assert.ok(outcome.made > 1000, `only ${outcome.made} ends were made`);
    assert.deepEqual(objectionsTo(outcome), [], JSON.stringify(outcome));
  });
}
