import assert from "node:assert/strict";
import { join } from "node:path";
import { check, libc, toCString } from "../../ffi/libc.ts";
import { writeSome } from "../../ffi/write.ts";
import { makeTempFolder } from "../temp_folder.ts";

const O_RDONLY = 0;
const O_WRONLY = 1;
const O_NONBLOCK = 0o4000;

Deno.test("writeSome() writes to a file, and returns how much", async () => {
  await using folder = await makeTempFolder();
  const path = join(folder.path, "file");
  await Deno.writeTextFile(path, "");
  {
    using file = open(path, O_WRONLY);
    assert.equal(await writeSome(file.fd, new TextEncoder().encode("one\ntwo")), 7);
    assert.equal(await writeSome(file.fd, new TextEncoder().encode("_three_").subarray(1, 6)), 5);
  }
  assert.equal(await Deno.readTextFile(path), "one\ntwothree");
});

Deno.test("writeSome() rejects if nothing can be written, with the reason", async () => {
  using full = open("/dev/full", O_WRONLY);
  await assert.rejects(
    writeSome(full.fd, new Uint8Array(10_000)),
    new Error("No space left on device (os error 28)"),
  );
});

Deno.test("writeSome() returns exactly what a full pipe has taken, and rejects when its reader has gone", async () => {
  await using folder = await makeTempFolder();
  const path = join(folder.path, "pipe");
  await new Deno.Command("mkfifo", { args: [path] }).output();
  using reader = open(path, O_RDONLY | O_NONBLOCK);
  using writer = open(path, O_WRONLY | O_NONBLOCK);
  const bytes = new Uint8Array(1_000_000);
  let written = 0;
  const fill = async () => {
    for (;;) written += await writeSome(writer.fd, bytes);
  };
  await assert.rejects(fill(), Deno.errors.WouldBlock);
  assert.ok(written > 0 && written < bytes.length);
  assert.equal(Number(libc().read(reader.fd, bytes, BigInt(bytes.length))), written);
  reader[Symbol.dispose]();
  await assert.rejects(writeSome(writer.fd, bytes), Deno.errors.BrokenPipe);
});

function open(path: string, flags: number): Disposable & { readonly fd: number } {
  const fd = check(`cannot open ${path}`, libc().open(toCString(path), flags));
  let isOpen = true;
  const close = () => {
    if (isOpen) libc().close(fd);
    isOpen = false;
  };
  return { fd, [Symbol.dispose]: close };
}
