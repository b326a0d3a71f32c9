/** service.name of processes that systemd, or something with similar cgroups, has started. */
import { strict as assert } from "node:assert";
import { ProcessResources } from "../../src/span/resource.ts";
import { Cgroup } from "./host.ts";
import { Scene } from "./scene.ts";

Deno.test("service.name is the systemd unit, or the process's own if tcpspan may ask for it", async () => {
  using cgroup = new Cgroup(".service");
  const unit = cgroup.path.replace(/.*\//, "").replace(".service", "");
  await using scene = await Scene.open({
    client: { cgroup: cgroup.path, under: ["env", "OTEL_SERVICE_NAME=own"] },
  });
  await scene.connect();
  await scene.client.close("s");
  await scene.server.close("s");
  const { client, server } = await scene.trace.pair(scene.port);
  const settings = { attributes: {}, commandLine: false, fromProcessEnv: false };
  const name = (fromProcessEnv: boolean, session = client) =>
    new ProcessResources({ ...settings, fromProcessEnv }).of(session).attributes["service.name"];
  assert.equal(name(false), unit);
  assert.equal(name(true), "own");
  assert.equal(name(false, server), scene.server.process.exe);
});
