/** A capture as programs use it: what it releases, and what can be read after its end. */
import { strict as assert } from "node:assert";
import { capture, type Session } from "../../mod.ts";
import { descriptors } from "./descriptors.ts";

/** A pid without sessions: nothing is ever delivered. */
const NO_PID = [2 ** 22];

Deno.test("losses(), sampledOut and omissions can be read before and after the end, and after disposal", async () => {
  const sessions = await capture({ pids: NO_PID, signal: AbortSignal.timeout(20) });
  const before = sessions.losses();
  for await (const _batch of sessions) assert.fail("a session came through");
  const after = sessions.losses();
  await sessions[Symbol.asyncDispose]();
  assert.deepEqual(sessions.losses(), after);
  assert.deepEqual([sessions.sampledOut, sessions.omissions], [0, []]);
  assert.deepEqual({ ...after, unseen: 0, skippedRuns: 0 }, {
    ...before,
    unseen: 0,
    skippedRuns: 0,
  });
  sessions.stop();
  await sessions[Symbol.asyncDispose](); // once more changes nothing
});

Deno.test("a capture that was disposed of gives no batch", async () => {
  const sessions = await capture({ pids: NO_PID });
  await sessions[Symbol.asyncDispose]();
  for await (const _batch of sessions) assert.fail("a session came through");
});

Deno.test("a second iteration is an error, because the first one has the sessions", async () => {
  await using sessions = await capture({ pids: NO_PID, signal: AbortSignal.abort() });
  for await (const _batch of sessions);
  await assert.rejects(
    Array.fromAsync(sessions),
    /^TypeError: cannot iterate over a capture a second/,
  );
});

Deno.test("a break releases the batch, and disposal releases what the capture holds", async () => {
  await using _warmUp = await capture();
  const before = descriptors();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  {
    await using sessions = await capture({ localPorts: [listener.addr.port], existing: false });
    const client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    (await listener.accept()).close();
    client.close();
    const kept: Session[] = [];
    for await (const batch of sessions) {
      kept.push(batch.at(0));
      assert.equal(batch.at(0).localPort, listener.addr.port);
      break;
    }
    assert.throws(() => kept[0]?.localPort, /given up/);
  }
  listener.close();
  assert.equal(descriptors(), before);
});
