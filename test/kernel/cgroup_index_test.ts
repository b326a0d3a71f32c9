import assert from "node:assert/strict";
import { basename } from "node:path";
import { cgroupIdOf, CgroupIndex, cgroupMountPoint } from "../../src/host/cgroup_index.ts";

/** A cgroup named as systemd names a service's, removed when disposed of. */
function makeService(): Disposable & { readonly id: bigint; readonly name: string } {
  const folder = Deno.makeTempDirSync({
    dir: cgroupMountPoint() ?? assert.fail("no cgroup v2"),
    prefix: "tcpspan-test-",
    suffix: ".service",
  });
  return {
    id: cgroupIdOf(folder),
    name: basename(folder, ".service"),
    [Symbol.dispose]: () => Deno.removeSync(folder),
  };
}

Deno.test("CgroupIndex finds services that appear one right after another", () => {
  const index = new CgroupIndex();
  for (let i = 0; i < 3; i++) {
    using service = makeService();
    assert.equal(index.find(service.id)?.service, service.name, `service ${i}`);
  }
});

Deno.test("CgroupIndex scans no more than a 20th of the time, however many cgroups appear", () => {
  const index = new CgroupIndex();
  const until = performance.now() + 1000;
  let scanningMs = 0;
  while (performance.now() < until) {
    using service = makeService();
    const began = performance.now();
    if (index.find(service.id) !== undefined) scanningMs += performance.now() - began;
  }
  assert.ok(scanningMs < 250, `${scanningMs} ms`); // 50 at once, 50 in a second, and noise
});
