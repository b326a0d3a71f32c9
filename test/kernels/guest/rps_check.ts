/** Packets that arrive on other CPUs, as from a network card with queues. */
import { strict as assert } from "node:assert";
import { hasPort } from "../../kernel/harness.ts";
import { startTrace } from "./trace.ts";

const QUEUE = "/sys/class/net/lo/queues/rx-0/rps_cpus";
const SESSIONS = 400;
const AT_ONCE = 8;

/**
 * Softirqs interrupt the kernel's programs here, and the kernel skips runs of them. Fails unless each
 * end is delivered or counted as lost.
 * @returns how many runs were skipped
 */
export async function checkSteeredLoopback(): Promise<{ runs: number; sessions: number }> {
  await Deno.writeTextFile(QUEUE, "3");
  try {
    await using trace = await startTrace();
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    const serving = serve(listener);
    await Promise.all(Array.from({ length: AT_ONCE }, () => visit(port)));
    await serving;
    await trace.until(2 * SESSIONS, hasPort(port));
    const ends = await trace.finish(hasPort(port));
    const { unseen, skippedRuns, ringFull, storageFailed } = trace.losses();
    assert.equal(ends.length + unseen, 2 * SESSIONS, `${ends.length} ends, ${unseen} unseen`);
    assert.ok(unseen <= SESSIONS / 50, `${unseen} unseen`);
    assert.deepEqual([ringFull, storageFailed], [0, 0]);
    const keys = new Set(ends.map(({ cookie }) => cookie));
    assert.equal(keys.size, ends.length, "an end was delivered twice");
    const bytes = (end: typeof ends[number]) => [end.txBytes, end.rxBytes].sort().join();
    const wrong = ends.filter((end) => bytes(end) !== "1,2");
    assert.equal(wrong.length, 0, `${wrong.length} ends with other bytes, such as ${wrong[0]}`);
    return { runs: skippedRuns, sessions: SESSIONS };
  } finally {
    await Deno.writeTextFile(QUEUE, "0");
  }
}

async function visit(port: number): Promise<void> {
  for (let i = 0; i < SESSIONS / AT_ONCE; i++) {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(new Uint8Array(1));
    while (await connection.read(new Uint8Array(8)) !== null);
  }
}

async function serve(listener: Deno.TcpListener): Promise<void> {
  const answers: Promise<void>[] = [];
  for (let i = 0; i < SESSIONS; i++) answers.push(answer(await listener.accept()));
  await Promise.all(answers);
}

async function answer(accepted: Deno.TcpConn): Promise<void> {
  using connection = accepted;
  await connection.read(new Uint8Array(8));
  await connection.write(new Uint8Array(2));
}
