/** The host's clocks for a process in a time namespace: time_namespaces(7). */
import assert from "node:assert/strict";
import { parseStartTime, readProc } from "../../src/host/procfs.ts";
import { ProcessResources } from "../../src/span/resource.ts";
import { Scene } from "./scene.ts";

const SCRIPT = `
import { bootTimeNs, wallOffsetNs } from "${new URL("../../ffi/clock.ts", import.meta.url)}";
import { isSameProcess } from "${new URL("../../src/host/procfs.ts", import.meta.url)}";
const boot = bootTimeNs();
const known = isSameProcess(${Deno.pid}, BigInt(Deno.args[0]) * 10_000_000n);
console.log(String(boot), String(boot + wallOffsetNs()), known);
`;

/** The clocks of a process that `inside` runs, and whether it recognizes this one by its start. */
async function clocks(...inside: readonly string[]) {
  const started = parseStartTime(readProc("self/stat") ?? "") ?? "";
  const [command = "", ...args] = [...inside, Deno.execPath(), "eval", SCRIPT, started];
  const { stdout } = await new Deno.Command(command, { args, stderr: "inherit" }).output();
  const [boot = "", wall = "", known] = new TextDecoder().decode(stdout).trim().split(" ");
  return { boot: BigInt(boot), wall: BigInt(wall), known };
}

for (const offset of ["100000", "-5"]) {
  Deno.test(`in a time namespace of ${offset} s, boot clock, wall clock and starts of processes are those of the host`, async () => {
    const before = await clocks();
    const inside = await clocks("unshare", "--time", `--boottime=${offset}`, "--fork");
    const after = await clocks();
    assert.ok(before.boot < inside.boot && inside.boot < after.boot);
    assert.ok(before.wall < inside.wall && inside.wall < after.wall);
    assert.deepEqual([before.known, inside.known], ["true", "true"]);
  });
}

Deno.test("a process in a time namespace has a path and a command line", async () => {
  const under = ["unshare", "--time", "--boottime=100000", "--monotonic=-5", "--fork"];
  await using scene = await Scene.open({ client: { under } });
  await scene.connect();
  await scene.client.close("s");
  await scene.server.close("s");
  const { client } = await scene.trace.pair(scene.port);
  const settings = { attributes: {}, commandLine: true, fromProcessEnv: false };
  const { attributes } = new ProcessResources(settings).of(client);
  assert.equal(attributes["process.executable.path"], scene.client.process.exe_path);
  assert.match(String(attributes["process.command_line"]), /actor\.py/);
});
