/** Open sessions are reported and counted, wherever they are and whichever process has them. */
import { strict as assert } from "node:assert";
import { capture } from "./capture.ts";
import { Actor } from "./actor.ts";
import { hasPort, summary, Trace } from "./harness.ts";
import { Namespace } from "./host.ts";

const LOOPBACK = { family: "ipv4", address: "127.0.0.1" } as const;

for (const where of ["the tracer's network namespace", "another network namespace"]) {
  const elsewhere = where.startsWith("another");

  Deno.test(`sessions that no process holds are reported at the end, and not counted as lost, in ${where}`, async () => {
    await using namespace = await Namespace.alone();
    await namespace.ip("link", "set", "lo", "up");
    const options = elsewhere ? { under: namespace.under } : {};
    await using client = await Actor.start(options);
    await using server = await Actor.start(options);
    await using trace = await Trace.start({ reportOpenOnExit: true });
    const port = await server.listen("l", LOOPBACK.family, LOOPBACK.address);
    await client.connect("s", { ...LOOPBACK, port }); // nobody accepts it
    await client.sendUntilFull("s");
    await client.close("s"); // its data has still to be sent: an orphan
    const reports = await trace.finish(hasPort(port));
    const found = reports.map(({ role, lastState, interim }) => `${role} ${lastState} ${interim}`);
    assert.deepEqual(found.sort(), ["active fin_wait1 1", "passive established 1"]);
    assert.deepEqual(
      reports.map(({ pid }) => pid).sort(),
      [client.process.pid, server.process.pid].sort(),
    );
    assert.equal(trace.losses().unseen, 0);
  });

  Deno.test(`a session that several processes hold is reported once, in ${where}`, async () => {
    await using namespace = await Namespace.alone();
    await namespace.ip("link", "set", "lo", "up");
    const options = elsewhere ? { under: namespace.under } : {};
    await using client = await Actor.start(options);
    await using server = await Actor.start(options);
    const port = await server.listen("l", LOOPBACK.family, LOOPBACK.address);
    await using trace = await Trace.start({ interim: 60_000, reportOpenOnExit: true });
    await Promise.all([client.connect("s", { ...LOOPBACK, port }), server.accept("l", "s")]);
    await using _first = await server.split();
    await using _second = await server.split();
    const reports = await trace.finish(hasPort(port));
    assert.equal(reports.length, 2, reports.map(summary).join("\n"));
    assert.equal(trace.losses().unseen, 0);
  });
}

Deno.test("sessions in other network namespaces that processes hold have interim reports", async () => {
  await using namespace = await Namespace.alone();
  await namespace.ip("link", "set", "lo", "up");
  await using client = await Actor.start({ under: namespace.under });
  await using server = await Actor.start({ under: namespace.under });
  const port = await server.listen("l", LOOPBACK.family, LOOPBACK.address);
  await using trace = await Trace.start({ interim: 100 });
  await Promise.all([client.connect("s", { ...LOOPBACK, port }), server.accept("l", "s")]);
  await trace.until(2, (end) => hasPort(port)(end) && end.interim === 2);
  const roles = (await trace.finish(hasPort(port))).filter(({ interim }) => interim === 2)
    .map(({ role }) => role);
  assert.deepEqual(roles.sort(), ["active", "passive"]);
});

for (const last of [false, true]) {
  Deno.test(`a capture that is disposed of during its ${last ? "last " : ""}reports ends normally`, async () => {
    await using client = await Actor.start();
    await using server = await Actor.start();
    const port = await server.listen("l", LOOPBACK.family, LOOPBACK.address);
    const running = await capture(last ? { reportOpenOnExit: true } : { interim: 50 });
    await Promise.all([client.connect("s", { ...LOOPBACK, port }), server.accept("l", "s")]);
    if (last) running.stop();
    for await (const batch of running) {
      if ([...batch].some(({ interim }) => interim > 0)) await running[Symbol.asyncDispose]();
    }
  });
}
