/** Disks that fill up, or take no writes. */
import assert from "node:assert/strict";

/** Mounts a file system with room for `bytes` bytes at `path`. Needs root. */
export function mountSmallDisk(path: string, bytes: number): Promise<AsyncDisposable> {
  return mount(path, `size=${bytes}`);
}

/** Mounts an empty file system that takes no writes at `path`, over what is there. Needs root. */
export function mountReadOnlyDisk(path: string): Promise<AsyncDisposable> {
  return mount(path, "ro");
}

async function mount(path: string, options: string): Promise<AsyncDisposable> {
  await run("mount", "-t", "tmpfs", "-o", options, "tcpspan-test", path);
  return { [Symbol.asyncDispose]: () => run("umount", "--lazy", path) };
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args }).output();
  assert.ok(success, `${command}: ${new TextDecoder().decode(stderr)}`);
}
