/** A BPF file system for one test. */
import { strict as assert } from "node:assert";

/** Mounted in a temporary folder until it is disposed of, with everything that is pinned there. */
export class BpfFileSystem implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async mount(): Promise<BpfFileSystem> {
    const path = await Deno.makeTempDir({ prefix: "tcpspan-bpffs-" });
    await run("mount", "-t", "bpf", "bpf", path);
    return new BpfFileSystem(path);
  }

  /** Paths of everything in `folder`, relative to it. */
  static list(folder: string): string[] {
    return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
      isDirectory
        ? [name, ...BpfFileSystem.list(`${folder}/${name}`).map((inner) => `${name}/${inner}`)]
        : [name]
    ).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("umount", this.path);
    await Deno.remove(this.path);
  }
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}
