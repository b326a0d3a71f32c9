/** Resets of accepted sockets that their process has not used, or not read to the end. */
import { strict as assert } from "node:assert";
import { endingOf } from "../../src/session/ending.ts";
import { Actor } from "./actor.ts";
import { assertWithin, hasPort, Trace } from "./harness.ts";
import { assertOwner } from "./owner.ts";
import { Scene } from "./scene.ts";

const LOOPBACK = { family: "ipv4", address: "127.0.0.1" } as const;
const MOST_WAIT_MS = 1000;

Deno.test("the owner of a socket that was reset unused is the worker that closes it", async () => {
  await using trace = await Trace.start();
  await using client = await Actor.start();
  await using server = await Actor.start({ comm: "test-prefork" });
  const port = await server.listen("l", "ipv4", LOOPBACK.address);
  const worker = await server.fork();
  await Promise.all([client.connect("s", { ...LOOPBACK, port }), server.accept("l", "s")]);
  const reset = await client.abort("s");
  await server.close("s");
  const ends = await trace.pair(port);
  assertOwner(ends.server, worker);
  assert.equal(ends.server.ownerSource, "close");
  assert.equal(endingOf(ends.server).reason, "reset");
  const margin = 100_000n;
  assertWithin(
    "end",
    ends.server.endUnixNs,
    reset.wall_before_ns - margin,
    reset.wall_after_ns + margin,
  );
  await server.leave();
});

Deno.test("a socket that was reset unused and stays open is reported within two seconds", async () => {
  await using scene = await Scene.open();
  await scene.connect();
  await scene.client.abort("s");
  const began = performance.now();
  await scene.trace.until(2, hasPort(scene.port));
  const waited = performance.now() - began;
  assert.ok(waited < 2 * MOST_WAIT_MS, `${waited} ms`);
  const { server } = await scene.trace.pair(scene.port);
  assert.deepEqual([server.pid, server.ownerSource], [scene.server.process.pid, "listen"]);
  await scene.server.close("s"); // no second report
});

Deno.test("unreadBytes of a reset session is what its process left unread when it closed", async () => {
  for (const [sent, read] of [[3000, 1000], [3000, 3000]] as const) {
    await using scene = await Scene.open();
    const { client, server } = scene;
    await scene.connect();
    await client.send("s", sent);
    await client.untilAcknowledged("s");
    await server.receive("s", 1);
    await client.abort("s");
    await server.receive("s", read - 1);
    await server.close("s");
    const ends = await scene.trace.pair(scene.port);
    assert.equal(ends.server.rxBytes, sent);
    assert.equal(ends.server.unreadBytes, sent - read);
    assert.equal(ends.server.errno, 104);
  }
});

Deno.test("a capture that stops reports what waits", async () => {
  await using scene = await Scene.open();
  await scene.connect();
  await scene.client.abort("s");
  const ends = await scene.trace.finish(hasPort(scene.port));
  assert.deepEqual(ends.map(({ role }) => role).sort(), ["active", "passive"]);
});

Deno.test("a pid filter applies to the owner that the close shows", async () => {
  await using client = await Actor.start();
  await using server = await Actor.start();
  const port = await server.listen("l", "ipv4", LOOPBACK.address);
  const worker = await server.fork();
  await using trace = await Trace.start({ pids: [worker.pid] });
  await Promise.all([client.connect("s", { ...LOOPBACK, port }), server.accept("l", "s")]);
  await client.abort("s");
  await server.close("s");
  const [end] = await trace.take(1, hasPort(port));
  assert.equal(end?.pid, worker.pid);
  await server.leave();
});
