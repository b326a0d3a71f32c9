/** A disk that takes no writes. Needs root. */
import assert from "node:assert/strict";

/** Mounts an empty read-only file system at `path`, over what is there. */
export async function mountReadOnlyDisk(path: string): Promise<AsyncDisposable> {
  await run("mount", "-t", "tmpfs", "-o", "ro", "tcpspan-test", path);
  return { [Symbol.asyncDispose]: () => run("umount", "--lazy", path) };
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args }).output();
  assert.ok(success, `${command}: ${new TextDecoder().decode(stderr)}`);
}
