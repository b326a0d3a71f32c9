import assert from "node:assert/strict";
import { join } from "node:path";
import { listKernelFolder, readKernelFile, readKernelLink } from "../../ffi/kernel_file.ts";
import { SystemError } from "../../ffi/libc.ts";
import { makeTempFolder } from "../temp_folder.ts";

Deno.test("readKernelFile() reads what Deno reads, also in many reads that split a character", async () => {
  await using folder = await makeTempFolder();
  const path = join(folder.path, "file");
  for (
    const text of ["", "short\n", "\ufeffx", "x".repeat(16 * 1024), `x${"é🦕".repeat(20_000)}`]
  ) {
    await Deno.writeTextFile(path, text);
    assert.equal(readKernelFile(path), text);
  }
  await Deno.writeFile(path, Uint8Array.of(0x61, 0xff, 0x62));
  assert.equal(readKernelFile(path), "a\ufffdb");
});

Deno.test("readKernelFile() reads only the beginning if it has a limit", () => {
  const MOST = 20_000;
  const { length } = readKernelFile("/dev/zero", MOST);
  assert.ok(length >= MOST && length < MOST + 16 * 1024, String(length));
});

Deno.test("readKernelLink() reads where a link leads", () => {
  assert.equal(readKernelLink("/proc/self/exe"), Deno.readLinkSync("/proc/self/exe"));
});

Deno.test("listKernelFolder() lists all names with their inodes, even very many", async () => {
  await using folder = await makeTempFolder();
  const names = Array.from({ length: 2000 }, (_, i) => `entry-${i}-é`);
  for (const name of names) await Deno.writeTextFile(join(folder.path, name), "");
  await Deno.mkdir(join(folder.path, "inner"));
  const found = new Map(listKernelFolder(folder.path).map((entry) => [entry.name, entry]));
  assert.deepEqual([...found.keys()].sort(), [...names, ".", "..", "inner"].sort());
  assert.equal(found.get("inner")?.isDirectory, true);
  assert.equal(found.get("entry-7-é")?.isDirectory, false);
  for (const name of [".", "inner", "entry-7-é"]) {
    const { ino } = await Deno.stat(join(folder.path, name));
    assert.equal(found.get(name)?.inode, BigInt(ino ?? 0));
  }
});

Deno.test("a missing file is a SystemError that says what was attempted", () => {
  for (const act of [readKernelFile, readKernelLink, listKernelFolder]) {
    assert.throws(() => act("/proc/nothing"), (error) => {
      assert.ok(error instanceof SystemError);
      assert.match(error.message, /^cannot .*\/proc\/nothing: No such file or directory$/);
      return true;
    });
  }
});

Deno.test("no descriptor is left open", () => {
  const count = () => listKernelFolder("/proc/self/fd").length;
  const before = count();
  for (let i = 0; i < 10; i++) {
    readKernelFile("/proc/self/stat");
    assert.throws(() => readKernelFile("/proc/self")); // a folder: opened, and not read
  }
  assert.equal(count(), before);
});
