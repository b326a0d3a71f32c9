/** Payload is counted exactly, whatever its size and whoever ends the session. */
import { strict as assert } from "node:assert";
import { hasPort } from "./harness.ts";
import { Scene } from "./scene.ts";

const MIB = 1 << 20;

const SIZES: readonly (readonly [fromClient: number, fromServer: number])[] = [
  [0, 0],
  [1, 0],
  [0, 1],
  [1000, 1000],
  [100_000, 0],
  [0, 100_000],
  [4 * MIB, 6 * MIB],
];

/** How both ends close a session whose payload was all received. */
const ENDINGS: Record<string, (scene: Scene) => Promise<unknown>> = {
  "FIN by the client first": async ({ client, server }) => {
    await client.close("s");
    await server.receiveFin("s");
    await server.close("s");
  },
  "FIN by the server first": async ({ client, server }) => {
    await server.close("s");
    await client.receiveFin("s");
    await client.close("s");
  },
  "a reset by the client": async ({ client, server }) => {
    await client.abort("s");
    await server.receiveError("s");
    await server.close("s");
  },
  "a reset by the server": async ({ client, server }) => {
    await server.abort("s");
    await client.receiveError("s");
    await client.close("s");
  },
};

for (const [ending, end] of Object.entries(ENDINGS)) {
  Deno.test(`txBytes and rxBytes are exact after ${ending}`, async () => {
    await using scene = await Scene.open();
    const sent = new Map<number, readonly [fromClient: number, fromServer: number]>();
    for (const size of SIZES) {
      const { client } = await scene.connect();
      sent.set(client.local_port, size);
      await scene.exchange(...size);
      await end(scene);
    }
    assert.equal(sent.size, SIZES.length, "each session has a port of its own");
    const found = await scene.trace.take(2 * SIZES.length, hasPort(scene.port));
    const byPort = Map.groupBy(
      found,
      ({ localPort, peerPort }) => localPort === scene.port ? peerPort : localPort,
    );
    for (const [port, [fromClient, fromServer]] of sent) {
      const ends = byPort.get(port) ?? [];
      const payload = (own: number) => {
        const end = ends.find(({ localPort }) => localPort === own);
        return [end?.txBytes, end?.rxBytes, end?.unackedBytes, end?.unreadBytes];
      };
      assert.deepEqual(payload(port), [fromClient, fromServer, 0, 0], "the client's");
      assert.deepEqual(payload(scene.port), [fromServer, fromClient, 0, 0], "the server's");
    }
  });
}

Deno.test("txBytes and rxBytes count what was sent after the peer's FIN", async () => {
  await using scene = await Scene.open();
  const { client, server } = scene;
  await scene.connect();
  await client.send("s", 10);
  await client.shutdown("s");
  await server.receive("s", 10);
  await server.receiveFin("s");
  await server.send("s", 5000);
  await client.receive("s", 5000);
  await server.close("s");
  await client.receiveFin("s");
  await client.close("s");
  const ends = await scene.trace.pair(scene.port);
  assert.deepEqual([ends.client.txBytes, ends.client.rxBytes], [10, 5000]);
  assert.deepEqual([ends.server.txBytes, ends.server.rxBytes], [5000, 10]);
});

Deno.test("unreadBytes is what the process left in its socket", async () => {
  await using scene = await Scene.open();
  const { client, server } = scene;
  await scene.connect();
  await client.send("s", 3000);
  await server.receive("s", 1000);
  assert.equal((await server.info("s")).unread, 2000);
  await server.close("s");
  await client.receiveError("s");
  await client.close("s");
  const ends = await scene.trace.pair(scene.port);
  assert.equal(ends.server.unreadBytes, 2000);
  assert.equal(ends.server.rxBytes, 3000);
  assert.equal(ends.client.txBytes, 3000); // the kernel acknowledged what no process read
});

Deno.test("unreadBytes is unknown if data can still be read after the peer's reset", async () => {
  await using scene = await Scene.open();
  const { client, server } = scene;
  await scene.connect();
  await server.send("s", 100);
  await server.untilAcknowledged("s");
  await server.abort("s");
  const ends = await scene.trace.pair(scene.port);
  assert.equal(ends.client.unreadBytes, undefined);
  assert.equal(ends.client.rxBytes, 100);
  await client.close("s");
});

Deno.test("unackedBytes is what was written and never acknowledged", async () => {
  await using scene = await Scene.open();
  const { client } = scene;
  await scene.connect();
  const written = await client.sendUntilFull("s");
  let { unsent_or_unacked: unacked } = await client.info("s");
  for (let before = -1; before !== unacked;) { // a last acknowledgement may be on its way
    before = unacked;
    await new Promise((resolve) => setTimeout(resolve, 300));
    ({ unsent_or_unacked: unacked } = await client.info("s"));
  }
  assert.ok(unacked > 0 && unacked < written);
  await client.abort("s");
  await scene.server.close("s");
  const ends = await scene.trace.pair(scene.port);
  assert.equal(ends.client.unackedBytes, unacked);
  assert.equal(ends.client.txBytes, written - unacked);
  assert.equal(ends.server.rxBytes, written - unacked);
});
