/** The ids of excluded cgroups that come and go. */
import { strict as assert } from "node:assert";
import { basename } from "node:path";
import { ExcludedCgroups } from "../../src/capture/excluded_cgroups.ts";
import { Cgroup } from "./host.ts";

Deno.test("ExcludedCgroups finds a cgroup that is removed and made again at its path", () => {
  const cgroup = new Cgroup();
  const path = `/${basename(cgroup.path)}`;
  const inMap = new Set<bigint>();
  const excluded = new ExcludedCgroups([path, "/there/is/none"], {
    add: (id) => inMap.add(id),
    remove: (id) => inMap.delete(id),
  });
  const idOf = () => Deno.statSync(cgroup.path).ino;
  const first = idOf();
  assert.deepEqual([...inMap].map(Number), [first]);
  assert.deepEqual(excluded.missing, ["/there/is/none"]);
  Deno.removeSync(cgroup.path);
  excluded.refresh();
  assert.deepEqual([[...inMap], excluded.missing], [[], [path, "/there/is/none"]]);
  Deno.mkdirSync(cgroup.path);
  using _ = cgroup;
  excluded.refresh();
  assert.notEqual(idOf(), first);
  assert.deepEqual([...inMap].map(Number), [idOf()]);
  assert.deepEqual(excluded.missing, ["/there/is/none"]);
});

Deno.test("ExcludedCgroups keeps a cgroup with two paths while one of them is left", () => {
  using cgroup = new Cgroup();
  const path = `/${basename(cgroup.path)}`;
  const calls: string[] = [];
  const excluded = new ExcludedCgroups([path, `${path}/`], {
    add: () => calls.push("add"),
    remove: () => calls.push("remove"),
  });
  excluded.refresh();
  assert.deepEqual(new Set(calls), new Set(["add"]));
});
