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

/** What chroot(1) runs. */
const INSIDE = [
  "/server 60",
  "/usr/bin/env --chdir=/real ../server 60",
  "/usr/bin/env --chdir=/real PATH=/none:/ server 60",
  '/usr/bin/bash -c "exec -a beside /real/check 60"',
];

// overlayfs, as containers have it: the kernel remembers no links of it
for (const root of ["-o bind ROOT", "-t overlay -o lowerdir=ROOT:/var/empty overlay"]) {
  for (const run of INSIDE) {
    Deno.test(`links are followed below the process's root: mount ${root}, run ${run}`, async () => {
      await using folder = await makeTempFolder();
      const F = folder.path;
      for (const name of ["root/real", "root/lib", "root/lib64", "root/usr", "mounted", "empty"]) {
        await Deno.mkdir(`${F}/${name}`, { recursive: true });
      }
      await Deno.copyFile("/bin/sleep", `${F}/root/real/check`);
      await Deno.symlink("/../real/check", `${F}/root/server`);
      await Deno.symlink("/real/check", `${F}/root/real/beside`);
      const mount = root.replace("ROOT", `${F}/root`).replace("/var/empty", `${F}/empty`);
      await using process = await start(`exec unshare --mount sh -c '
        mount ${mount} ${F}/mounted || exit
        for i in lib lib64 usr; do
          mount -o bind,ro /$i ${F}/mounted/$i || exit
        done
        exec chroot ${F}/mounted ${run}'`);
      await until(process, "check");
      assert.equal(serviceOf(process), run.includes("beside") ? "beside" : "server");
    });
  }
}

/** Waits until a process executes a file of that name, and its arguments are there too. */
async function until({ pid }: Running, executable: string): Promise<void> {
  while (
    !Deno.readLinkSync(`/proc/${pid}/exe`).endsWith(`/${executable}`) ||
    Deno.readTextFileSync(`/proc/${pid}/cmdline`) === ""
  ) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
