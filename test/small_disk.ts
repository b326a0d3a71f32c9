/** Disks that are full, or can't be written. Needs root. */
import assert from "node:assert/strict";

/** Mounts a file system of its own at `path`, with room for `bytes` bytes, until it is disposed of. */
export async function mountSmallDisk(path: string, bytes: number): Promise<AsyncDisposable> {
  await run("mount", "-t", "tmpfs", "-o", `size=${bytes},mode=700`, "tcpspan-test", path);
  return { [Symbol.asyncDispose]: () => run("umount", "--lazy", path) };
}

/**
 * Makes what is below `path` read-only until it is disposed of, but for files that are open, as the
 * system does not let a file system become read-only that somebody writes.
 */
export async function makeReadOnly(path: string): Promise<AsyncDisposable> {
  await run("mount", "--bind", path, path);
  await run("mount", "-o", "remount,bind,ro", path);
  return { [Symbol.asyncDispose]: () => run("umount", "--lazy", path) };
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args }).output();
  assert.ok(success, `${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}
