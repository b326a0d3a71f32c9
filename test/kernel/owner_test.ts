/** Whose session it is: the process that used the socket, however it got it. */
import { strict as assert } from "node:assert";
import { assertOwner } from "./owner.ts";
import { Actor } from "./actor.ts";
import { hasPort, Trace } from "./harness.ts";
import { Scene } from "./scene.ts";
import { WORKER_USES } from "./worker_uses.ts";

const LOOPBACK = { family: "ipv4", address: "127.0.0.1" } as const;

for (const { name, act, source } of WORKER_USES) {
  Deno.test(`the owner of an accepted socket is the prefork worker that ${name}`, async () => {
    await using trace = await Trace.start();
    await using client = await Actor.start();
    await using server = await Actor.start({ comm: "test-prefork" });
    const port = await server.listen("l", "ipv4", "127.0.0.1");
    const worker = await server.fork();
    assert.notEqual(worker.pid, server.process.pid);
    await Promise.all([client.connect("s", { ...LOOPBACK, port }), server.accept("l", "s")]);
    await act(client, server);
    await server.close("s");
    await client.receiveFin("s");
    await client.close("s");
    await server.leave();
    const ends = await trace.pair(port);
    assertOwner(ends.server, worker);
    assert.equal(ends.server.ownerSource, source);
    assertOwner(ends.client, client.process);
  });
}

Deno.test("the owner of a session is the process that connected, though a child closes it", async () => {
  await using scene = await Scene.open();
  const { client, server, trace, port } = scene;
  await scene.connect();
  const child = await client.fork(); // both have the socket now
  await client.send("s", 10);
  await client.close("s");
  await client.leave();
  await client.close("s"); // the last descriptor: now the session ends
  await server.close("s");
  const ends = await trace.pair(port);
  assert.notEqual(ends.client.pid, child.pid);
  assertOwner(ends.client, client.process);
  assert.equal(ends.client.ownerSource, "connect");
});

Deno.test("comm is the name of the thread that connected, pid belongs to its process", async () => {
  await using scene = await Scene.open();
  await scene.connect("test-thread");
  await scene.client.close("s");
  await scene.server.close("s");
  const { client } = await scene.trace.pair(scene.port);
  assert.equal(client.comm, "test-thread");
  assert.equal(client.pid, scene.client.process.pid);
  assert.equal(client.executable, scene.client.process.exe);
});

Deno.test("comm has the 15 bytes that the kernel keeps, whatever they are", async () => {
  const comm = "näme with (y) s";
  await using scene = await Scene.open({ client: { comm: `${comm}!` } });
  await scene.connect();
  await scene.client.close("s");
  await scene.server.close("s");
  const { client } = await scene.trace.pair(scene.port);
  assert.equal(client.comm, "näme with (y) ");
});

Deno.test("uid is the user that the process runs as", async () => {
  await using scene = await Scene.open({ client: { uid: 54321 }, server: { uid: 12345 } });
  await scene.connect();
  await scene.exchange(1, 1);
  await scene.client.close("s");
  await scene.server.close("s");
  const { client, server } = await scene.trace.pair(scene.port);
  assert.deepEqual([client.uid, server.uid], [54321, 12345]);
});

Deno.test("pid is the one in the tracer's namespace, also for a process in its own namespace", async () => {
  const under = ["unshare", "--pid", "--fork", "--kill-child"];
  await using scene = await Scene.open({ client: { under }, server: { under } });
  await scene.connect();
  await scene.exchange(1, 1);
  await scene.client.close("s");
  await scene.server.close("s");
  const { client, server } = await scene.trace.pair(scene.port);
  assertOwner(client, scene.client.process);
  assertOwner(server, scene.server.process);
});

Deno.test("a session that was open before the capture started is reported as such", async () => {
  await using client = await Actor.start();
  await using server = await Actor.start();
  const port = await server.listen("l", "ipv4", "127.0.0.1");
  const [clientEnd, serverEnd] = await Promise.all([
    client.connect("s", { ...LOOPBACK, port }),
    server.accept("l", "s"),
  ]);
  await client.send("s", 1000);
  await server.receive("s", 1000);
  await using trace = await Trace.start();
  await server.send("s", 500);
  await client.receive("s", 500);
  await client.close("s");
  await server.receiveFin("s");
  await server.close("s");
  const ends = await trace.pair(port);
  assert.deepEqual([ends.client.role, ends.server.role], ["active", "passive"]);
  // all of the payload, also from before the start
  assert.deepEqual([ends.client.txBytes, ends.client.rxBytes], [1000, 500]);
  assert.deepEqual([ends.server.txBytes, ends.server.rxBytes], [500, 1000]);
  assert.deepEqual([ends.client.cookie, ends.server.cookie], [clientEnd.cookie, serverEnd.cookie]);
  assert.deepEqual(
    ends.client.initialSequenceNumbers?.local,
    ends.server.initialSequenceNumbers?.peer,
  );
  for (const end of [ends.client, ends.server]) {
    assert.equal(end.startObserved, false);
    assert.equal(end.establishedUnixNs, undefined);
    assert.equal(end.handshakeUs, undefined);
    // the tracer's start is later than that of the processes
    assert.ok(end.startBootNs >= trace.began.before_ns && end.startBootNs <= trace.began.after_ns);
  }
  assertOwner(ends.client, client.process);
  assertOwner(ends.server, server.process);
});

Deno.test("the owner of an old session is the process that used it last, though the peer ends it", async () => {
  await using client = await Actor.start();
  await using server = await Actor.start();
  const port = await server.listen("l", "ipv4", "127.0.0.1");
  await Promise.all([client.connect("s", { ...LOOPBACK, port }), server.accept("l", "s")]);
  await using trace = await Trace.start();
  await client.send("s", 1);
  await server.receive("s", 1);
  await server.abort("s");
  await client.receiveError("s");
  await client.close("s");
  const ends = await trace.pair(port);
  assertOwner(ends.client, client.process);
  assertOwner(ends.server, server.process);
});

Deno.test("an old session starts with its process if that is younger than the tracer", async () => {
  await using client = await Actor.start();
  await using server = await Actor.start();
  const port = await server.listen("l", "ipv4", "127.0.0.1");
  await Promise.all([client.connect("s", { ...LOOPBACK, port }), server.accept("l", "s")]);
  await using trace = await Trace.start();
  const child = await server.fork(); // has the socket from its parent
  await server.send("s", 1);
  await server.close("s");
  await server.leave();
  await server.close("s");
  await client.receive("s", 1);
  await client.close("s");
  const ends = await trace.pair(port);
  assertOwner(ends.server, child);
  assert.equal(ends.server.startBootNs, ends.server.processStartBootNs);
});

Deno.test("existing: false leaves out sessions that were open before the capture started", async () => {
  await using client = await Actor.start();
  await using server = await Actor.start();
  const port = await server.listen("l", "ipv4", "127.0.0.1");
  await Promise.all([client.connect("old", { ...LOOPBACK, port }), server.accept("l", "old")]);
  await using trace = await Trace.start({ existing: false });
  await client.close("old");
  await server.close("old");
  const [truth] = await Promise.all([
    client.connect("new", { ...LOOPBACK, port }),
    server.accept("l", "new"),
  ]);
  await client.close("new");
  await server.close("new");
  const ends = await trace.take(2, hasPort(port));
  assert.ok(ends.every(hasPort(truth.local_port)));
});
