/** Disks that are full, or can't be written. Needs root. */
import assert from "node:assert/strict";

/** Mounts a file system with room for `bytes` bytes at `path`, until it is disposed of. */
export async function mountSmallDisk(path: string, bytes: number): Promise<AsyncDisposable> {
  await run("mount", "-t", "tmpfs", "-o", `size=${bytes},mode=700`, "tcpspan-test", path);
  return { [Symbol.asyncDispose]: () => run("umount", "--lazy", path) };
}

/**
 * Makes what is below `path` read-only until it is disposed of. Open files stay writable, because
 * the system does not make a file system read-only while somebody writes to it.
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
