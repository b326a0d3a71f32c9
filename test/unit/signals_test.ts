/**
 * The signals that end a run: a second one ends it at once; signals that come together are one
 * request. Only SIGTERM is sent: `deno test` itself ends at SIGINT.
 */
import assert from "node:assert/strict";
import { EndSignals, onSignal } from "../../src/run/signals.ts";
import { until } from "../e2e/process.ts";

const SAME_REQUEST_MS = 50;

Deno.test("a first signal stops the run, and a later one ends it at once", async () => {
  using signals = new EndSignals();
  await send();
  assert.deepEqual(effectOf(signals), { stop: true, leave: false });
  await until("a second signal", async () => {
    if (signals.leave.aborted) return true;
    await send();
    return false;
  });
});

Deno.test("a signal right after the first does not count as a second, even if it is noticed late", async () => {
  using signals = new EndSignals();
  await send();
  let heard = false;
  using _listener = onSignal("SIGTERM", () => heard = true);
  Deno.kill(Deno.pid, "SIGTERM");
  // the time of a first signal is over before the program listens again
  for (const began = performance.now(); performance.now() - began < 2 * SAME_REQUEST_MS;);
  await until("the other signal", () => heard);
  assert.deepEqual(effectOf(signals), { stop: true, leave: false });
});

Deno.test("a first signal to a run that ends by itself does not count as a second", async () => {
  using signals = new EndSignals();
  signals.requestStop();
  assert.deepEqual(effectOf(signals), { stop: true, leave: false });
  await new Promise((resolve) => setTimeout(resolve, 2 * SAME_REQUEST_MS));
  await send();
  assert.deepEqual(effectOf(signals), { stop: true, leave: false });
});

function effectOf({ stop, leave }: EndSignals) {
  return { stop: stop.aborted, leave: leave.aborted };
}

/** Sends a signal to this process, and waits until all listeners have got it. */
async function send(): Promise<void> {
  let heard = false;
  using _listener = onSignal("SIGTERM", () => heard = true);
  Deno.kill(Deno.pid, "SIGTERM");
  await until("the signal", () => heard);
}
