/** Many sessions at once: each end is reported once, or counted as lost. */
import { strict as assert } from "node:assert";
import { RECORD } from "../../src/session/record_layout.ts";
import type { Session } from "../../src/session/session.ts";
import { Burst, type BurstEnd } from "./burst.ts";
import { hasPort, Trace } from "./harness.ts";
import { Namespace } from "./host.ts";

const SIZE = { clients: 4, threads: 2, sessions: 250 };
const RING_HEADER = 8; // bytes in front of each record
const ENDS = 2 * SIZE.clients * SIZE.threads * SIZE.sessions;

Deno.test("capture() delivers both ends of 2,000 sessions of several processes, each once", async () => {
  await using burst = await Burst.prepare(SIZE);
  await using trace = await Trace.start();
  const truth = await burst.run();
  assert.equal(truth.length, ENDS);
  const sessions = await trace.take(ENDS, hasPort(burst.port));
  assert.deepEqual(sessions.map(fromSession).sort(), truth.map(fromTruth).sort());
  const { ringFull, storageFailed } = trace.losses();
  assert.deepEqual({ ringFull, storageFailed }, { ringFull: 0, storageFailed: 0 });
});

Deno.test("two captures at once both deliver all sessions", async () => {
  await using burst = await Burst.prepare({ ...SIZE, sessions: 25 });
  await using one = await Trace.start();
  await using other = await Trace.start();
  const truth = (await burst.run()).map(fromTruth).sort();
  for (const trace of [one, other]) {
    const sessions = await trace.take(truth.length, hasPort(burst.port));
    assert.deepEqual(sessions.map(fromSession).sort(), truth);
  }
});

// Softirqs interrupt the kernel program here, and the kernel skips runs of it. A few ends may be
// missing completely: some virtual machines run no program on top of their own supervisor.
Deno.test("capture() delivers or counts each end once if packets arrive on other CPUs", async () => {
  await using namespace = await Namespace.make();
  await namespace.steerLoopback();
  await using burst = await Burst.prepare({ ...SIZE, sessions: 1000 }, namespace.under);
  await using trace = await Trace.start();
  const truth = new Set((await burst.run()).map(fromTruth));
  await new Promise((resolve) => setTimeout(resolve, 300)); // the last acknowledgements
  const delivered = (await trace.finish(hasPort(burst.port))).map(fromSession);
  const { ringFull, storageFailed, unseen, skippedRuns } = trace.losses();
  assert.deepEqual(delivered.filter((end) => !truth.has(end)), []);
  assert.equal(new Set(delivered).size, delivered.length);
  assert.equal(truth.size - delivered.length, unseen + ringFull + storageFailed);
  assert.ok(delivered.length >= truth.size * 0.98, `${delivered.length} of ${truth.size}`);
  assert.ok(skippedRuns > 0, "no run of the kernel program was interrupted: this tests nothing");
});

Deno.test("losses() counts the sessions for which the ring had no room", async () => {
  const begin = Promise.withResolvers<void>();
  await using burst = await Burst.prepare(SIZE);
  const ringBuffer = 256 * 1024;
  // only the servers' ends, which have the listener's port
  const options = { ringBuffer, localPorts: [burst.port], reading: begin.promise };
  await using trace = await Trace.start(options);
  const made = (await burst.run()).filter(({ role }) => role === "passive");
  const room = Math.floor(ringBuffer / (RECORD.size + RING_HEADER));
  assert.ok(made.length > room);
  const { ringFull } = trace.losses();
  begin.resolve();
  const delivered = (await trace.take(made.length - ringFull, hasPort(burst.port))).map(
    fromSession,
  );
  assert.ok(ringFull > 0);
  assert.ok(delivered.length >= room - 1, `${delivered.length} of ${room} places used`);
  const truth = new Set(made.map(fromTruth));
  assert.ok(delivered.every((end) => truth.has(end)));
  assert.equal(new Set(delivered).size, delivered.length);
});

Deno.test("a ring that was full takes sessions again after it was read", async () => {
  const begin = Promise.withResolvers<void>();
  await using first = await Burst.prepare(SIZE);
  await using second = await Burst.prepare({ clients: 1, threads: 1, sessions: 20 });
  await using trace = await Trace.start({
    ringBuffer: 256 * 1024,
    localPorts: [first.port, second.port],
    reading: begin.promise,
  });
  await first.run();
  assert.ok(trace.losses().ringFull > 0);
  begin.resolve();
  await trace.until(1, hasPort(first.port));
  const made = (await second.run()).filter(({ role }) => role === "passive");
  const sessions = await trace.take(made.length, hasPort(second.port));
  assert.deepEqual(sessions.map(fromSession).sort(), made.map(fromTruth).sort());
});

/** All that distinguishes an end from any other, in one string. */
function fromTruth({ role, pid, cookie, local_port, peer_port, bytes }: BurstEnd): string {
  return `${role} ${pid} ${cookie} ${local_port} ${peer_port} ${bytes} ${bytes}`;
}

function fromSession(session: Session): string {
  const { role, pid, cookie, localPort, peerPort, txBytes, rxBytes } = session;
  return `${role} ${pid} ${cookie} ${localPort} ${peerPort} ${txBytes} ${rxBytes}`;
}
