/** The life of a capture: how it ends, and what it leaves behind. */
import { strict as assert } from "node:assert";
import { capture } from "./capture.ts";
import { HostError } from "../../src/messages/errors.ts";
import { Actor } from "./actor.ts";
import { descriptors, mappings } from "./descriptors.ts";
import { hasPort } from "./harness.ts";
import { Scene } from "./scene.ts";

Deno.test("capture() closes everything that it opened", async () => {
  await using _warmUp = await capture(); // opens what stays open: libraries, the runtime's files
  const before = { descriptors: descriptors(), mappings: mappings("bpf-map") };
  for (let i = 0; i < 5; i++) {
    await using sessions = await capture({ signal: AbortSignal.timeout(20) });
    assert.ok(descriptors() > before.descriptors);
    for await (const _batch of sessions);
  }
  assert.deepEqual({ descriptors: descriptors(), mappings: mappings("bpf-map") }, before);
});

Deno.test("capture() closes everything again when it can't start", async () => {
  await using _warmUp = await capture();
  const before = { descriptors: descriptors(), mappings: mappings("bpf-map") };
  for (let i = 0; i < 3; i++) {
    await assert.rejects(capture({ ringBuffer: 0 }), HostError);
  }
  assert.deepEqual({ descriptors: descriptors(), mappings: mappings("bpf-map") }, before);
});

Deno.test("stop() delivers what is in the ring, then ends the iteration", async () => {
  await using scene = await Scene.open();
  const { client, server, port } = scene;
  await using sessions = await capture();
  await scene.connect();
  await client.close("s");
  await server.receiveFin("s");
  await server.close("s");
  await scene.trace.until(2, hasPort(port)); // both have ended
  sessions.stop();
  let count = 0;
  for await (const batch of sessions) count += [...batch].filter(hasPort(port)).length;
  assert.equal(count, 2);
});

Deno.test("a signal ends the iteration of a capture that waits for sessions", async () => {
  const controller = new AbortController();
  // no such pid: nothing is ever delivered
  await using sessions = await capture({ signal: controller.signal, pids: [2 ** 22 + 1] });
  const iteration = (async () => {
    for await (const _batch of sessions) assert.fail("a session came through");
  })();
  await new Promise((resolve) => setTimeout(resolve, 50));
  controller.abort();
  await iteration;
});

Deno.test("a signal that is already aborted ends a capture at once", async () => {
  await using sessions = await capture({ signal: AbortSignal.abort() });
  for await (const _batch of sessions); // sessions that ended in between
});

Deno.test("a session is delivered within a second of its end", async () => {
  await using scene = await Scene.open();
  const { client, server, port, trace } = scene;
  await scene.connect();
  await server.close("s");
  await client.receiveFin("s");
  await client.close("s");
  const closed = performance.now();
  await trace.until(2, hasPort(port));
  assert.ok(performance.now() - closed < 1000);
});

Deno.test("disposing a capture ends an iteration that is under way", async () => {
  const sessions = await capture({ pids: [2 ** 22 + 1] });
  const iteration = (async () => {
    for await (const _batch of sessions) assert.fail("a session came through");
  })();
  await new Promise((resolve) => setTimeout(resolve, 50));
  await sessions[Symbol.asyncDispose]();
  await iteration;
});

Deno.test("a signal aborted after disposal writes to no descriptor", async () => {
  const controller = new AbortController();
  const files: Deno.FsFile[] = [];
  const paths: string[] = [];
  {
    await using _sessions = await capture({ signal: controller.signal });
  }
  try {
    // these get the numbers of the capture's descriptors
    for (let i = 0; i < 32; i++) {
      const path = await Deno.makeTempFile();
      paths.push(path);
      files.push(await Deno.open(path, { write: true }));
    }
    controller.abort();
    assert.deepEqual(files.map((file) => file.statSync().size), files.map(() => 0));
  } finally {
    for (const file of files) file.close();
    for (const path of paths) await Deno.remove(path);
  }
});

Deno.test("iterating a capture after disposal ends at once, and does not crash", async () => {
  const sessions = await capture();
  await sessions[Symbol.asyncDispose]();
  assert.throws(() => sessions.losses());
  for await (const _batch of sessions) assert.fail("it is at its end");
  await sessions[Symbol.asyncDispose](); // a second time does nothing
});

Deno.test("break ends the iteration, and the capture can still be disposed of", async () => {
  await using actor = await Actor.start();
  const port = await actor.reservePort("ipv4", "127.0.0.1");
  await using sessions = await capture({ remotePorts: [port] });
  await actor.failToConnect("s", { family: "ipv4", address: "127.0.0.1", port });
  for await (const batch of sessions) {
    assert.equal(batch.at(0).peerPort, port);
    break;
  }
});
