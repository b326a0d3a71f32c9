/** Sessions in another network namespace, as in containers. */
import { strict as assert } from "node:assert";
import { Namespace, run } from "./host.ts";
import { Scene } from "./scene.ts";

for (const family of ["ipv4", "ipv6"] as const) {
  Deno.test(`capture() reports both ends of an ${family} session between two namespaces`, async () => {
    await using namespace = await Namespace.make();
    const { here, there, under } = namespace;
    await using scene = await Scene.open({
      listen: { family, address: there[family] },
      server: { under },
    });
    await scene.connect();
    await scene.exchange(1000, 2000);
    await scene.client.close("s");
    await scene.server.receiveFin("s");
    await scene.server.close("s");
    const { client, server } = await scene.trace.pair(scene.port);
    assert.deepEqual([client.localAddress, client.peerAddress], [here[family], there[family]]);
    assert.deepEqual([server.localAddress, server.peerAddress], [there[family], here[family]]);
    assert.equal(client.netns, scene.client.process.netns);
    assert.equal(server.netns, scene.server.process.netns);
    assert.notEqual(client.netns, server.netns);
    assert.equal(server.pid, scene.server.process.pid);
    assert.deepEqual([client.txBytes, client.rxBytes], [1000, 2000]);
    assert.deepEqual([server.txBytes, server.rxBytes], [2000, 1000]);
  });
}

Deno.test("retransmits equals TCP_INFO's, and txBytes counts their payload once", async () => {
  await using namespace = await Namespace.make();
  const { here, there, name, under } = namespace;
  await using scene = await Scene.open({
    listen: { family: "ipv4", address: there.ipv4 },
    server: { under },
  });
  const { client, server } = scene;
  await scene.connect();
  await scene.exchange(100, 100);
  // the server's acknowledgements are lost for a while
  await run("ip", "-n", name, "route", "add", "blackhole", `${here.ipv4}/32`);
  await client.send("s", 5000);
  await server.receive("s", 5000);
  await new Promise((resolve) => setTimeout(resolve, 700));
  await run("ip", "-n", name, "route", "del", "blackhole", `${here.ipv4}/32`);
  await client.untilAcknowledged("s");
  const info = await client.info("s");
  assert.ok(info.total_retrans > 0, "nothing was sent again");
  await client.close("s");
  await server.receiveFin("s");
  await server.close("s");
  const ends = await scene.trace.pair(scene.port);
  assert.equal(ends.client.retransmits, info.total_retrans);
  assert.equal(ends.client.txSegments, info.data_segs_out);
  assert.equal(ends.client.txBytes, 5100);
  assert.equal(ends.server.rxBytes, 5100);
});
