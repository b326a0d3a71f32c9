/** The name by which a program was run, where its links lead elsewhere than they would for us. */
import { strict as assert } from "node:assert";
import { ProcessResources } from "../../src/span/resource.ts";
import { makeSession } from "../fixtures.ts";
import { recordOf, type Running, start } from "../processes.ts";
import { makeTempFolder } from "../temp_folder.ts";

function serviceOf({ pid }: Running): unknown {
  const settings = { attributes: {}, commandLine: false, fromProcessEnv: false };
  const resources = new ProcessResources(settings);
  return resources.of(makeSession(recordOf(pid))).attributes["service.name"];
}

Deno.test("links are followed in the process's own mounts", async () => {
  await using folder = await makeTempFolder();
  const F = folder.path;
  for (const name of ["inside", "mounted"]) await Deno.mkdir(`${F}/${name}`);
  await Deno.copyFile("/bin/sleep", `${F}/inside/check`);
  await Deno.symlink(`${F}/mounted/check`, `${F}/server`); // leads nowhere for us
  await using process = await start(`exec unshare --mount sh -c '
    mount --bind ${F}/inside ${F}/mounted && exec ${F}/server 60'`);
  await until(process, "check");
  assert.equal(serviceOf(process), "server");
});

Deno.test("links are followed below the process's root", async () => {
  await using folder = await makeTempFolder();
  const F = folder.path;
  await Deno.mkdir(`${F}/real`);
  await Deno.copyFile("/bin/sleep", `${F}/real/check`);
  await Deno.symlink("/../real/check", `${F}/server`);
  await using process = await start(`exec unshare --mount sh -c '
    for i in lib lib64 usr; do
      mkdir ${F}/$i && mount -o bind,ro /$i ${F}/$i || exit
    done
    exec chroot ${F} /server 60'`);
  await until(process, "check");
  assert.equal(serviceOf(process), "server");
});

/** Waits until a process executes a file of that name. */
async function until({ pid }: Running, executable: string): Promise<void> {
  while (!Deno.readLinkSync(`/proc/${pid}/exe`).endsWith(`/${executable}`)) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
