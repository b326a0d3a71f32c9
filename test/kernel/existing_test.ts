/** What was open before the capture started: who owns it, and who opened it. */
import { strict as assert } from "node:assert";
import { Actor } from "./actor.ts";
import { hasPort, Trace } from "./harness.ts";
import { Namespace, run } from "./host.ts";
import { assertOwner } from "./owner.ts";

const LOOPBACK = { family: "ipv4", address: "127.0.0.1" } as const;

for (const where of ["the tracer's network namespace", "another network namespace"]) {
  Deno.test(`owners and roles of sessions that are idle from the start on are known, in ${where}`, async () => {
    await using namespace = await Namespace.make();
    const options = where.startsWith("another") ? { under: namespace.under } : {};
    await using client = await Actor.start(options);
    await using server = await Actor.start(options);
    if (options.under !== undefined) {
      await run("ip", "-n", namespace.name, "link", "set", "lo", "up");
    }
    const port = await server.listen("l", "ipv4", LOOPBACK.address);
    await Promise.all([client.connect("s", { ...LOOPBACK, port }), server.accept("l", "s")]);
    await using trace = await Trace.start();
    await client.abort("s");
    await server.receiveError("s");
    await server.close("s");
    const ends = await trace.pair(port);
    assert.deepEqual([ends.client.role, ends.server.role], ["active", "passive"]);
    for (const [end, actor] of [[ends.client, client], [ends.server, server]] as const) {
      assertOwner(end, actor.process);
      assert.equal(end.ownerSource, "fd_table");
      assert.equal(end.startObserved, false);
    }
    assert.deepEqual(ends.client.initialSequenceNumbers, {
      local: ends.server.initialSequenceNumbers?.peer,
      peer: ends.server.initialSequenceNumbers?.local,
    });
  });
}

Deno.test("the start of a session is observed, also if its listener is older than the capture", async () => {
  await using client = await Actor.start();
  await using server = await Actor.start();
  const port = await server.listen("l", "ipv4", LOOPBACK.address);
  await using trace = await Trace.start();
  await client.connect("s", { ...LOOPBACK, port });
  await server.close("l"); // a session that nobody accepted belongs to its listener
  await client.receiveError("s");
  await client.close("s");
  const ends = await trace.pair(port);
  assertOwner(ends.server, server.process);
  assert.equal(ends.server.ownerSource, "listen");
  assert.equal(ends.server.startObserved, true);
  assert.equal(ends.server.role, "passive");
});

Deno.test("a session that nobody had accepted at the start belongs to the process that accepts it", async () => {
  await using client = await Actor.start();
  await using server = await Actor.start();
  const port = await server.listen("l", "ipv4", LOOPBACK.address);
  await client.connect("s", { ...LOOPBACK, port });
  await using trace = await Trace.start();
  await server.accept("l", "s");
  await server.close("s");
  await client.receiveFin("s");
  await client.close("s");
  const ends = await trace.pair(port);
  assertOwner(ends.server, server.process);
  assert.deepEqual([ends.server.role, ends.server.startObserved], ["passive", false]);
});

Deno.test("a descriptor that was neither connected nor listening at the start makes no session", async () => {
  await using client = await Actor.start();
  const port = await client.reservePort("ipv4", LOOPBACK.address);
  await using trace = await Trace.start();
  await client.close("reserved");
  assert.deepEqual(await trace.finish(hasPort(port)), []);
});

Deno.test("a socket that was idle at the start and connects afterwards gives one session", async () => {
  await using client = await Actor.start();
  await using server = await Actor.start();
  const port = await server.listen("l", "ipv4", LOOPBACK.address);
  await client.reservePort("ipv4", LOOPBACK.address);
  await using trace = await Trace.start();
  await Promise.all([client.connect("reserved", { ...LOOPBACK, port }), server.accept("l", "s")]);
  await client.close("reserved");
  await server.close("s");
  const ends = await trace.pair(port);
  assert.deepEqual([ends.client.startObserved, ends.client.ownerSource], [true, "connect"]);
});
