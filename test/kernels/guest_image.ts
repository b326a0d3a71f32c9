/** What a guest contains: a C library, busybox, Deno and this tree, in one archive. */
import { fileURLToPath } from "node:url";
import { CACHE, madeOnce, run } from "./cache.ts";
import { CpioWriter } from "./cpio.ts";
import type { Architecture } from "./kernels.ts";
import { Suite } from "./packages.ts";

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));

/** The repository's folder in the guest. */
const TREE = "tcpspan";

const DAY_MS = 24 * 3600 * 1000;
const SUITE = "bookworm"; // the oldest that has libbpf 1.x
const PACKAGES = [
  ...["busybox-static", "libc6", "libgcc-s1"],
  ...["libbpf1", "libelf1", "zlib1g", "libseccomp2"],
];

const MACHINES = {
  amd64: { deno: "x64", arch: "x86_64", loader: "lib64/ld-linux-x86-64.so.2" },
  arm64: { deno: "arm64", arch: "aarch64", loader: "lib/ld-linux-aarch64.so.1" },
} as const;

/** Files of the repository that tcpspan and its checks do not need. */
const LEFT_OUT =
  /^(\.|docs\/|bench\/|deploy\/|deno\.lock|test\/(?!kernels?\/|lines\.ts|deno\.json))|\.md$/;

/** An archive for guests of one architecture; disposing removes it. */
export class GuestImage implements AsyncDisposable {
  private constructor(readonly path: string) {}

  /** Makes it from the repository's current files. */
  static async make(architecture: Architecture): Promise<GuestImage> {
    await Deno.mkdir(CACHE, { recursive: true });
    await removeLeftOver();
    const path = await Deno.makeTempFile({ dir: CACHE, prefix: `guest-${architecture}-` });
    try {
      using file = await Deno.open(path, { write: true });
      const cpio = new CpioWriter(file);
      await addSystem(cpio, architecture);
      await addTree(cpio);
      await cpio.end();
      return new GuestImage(path);
    } catch (error) {
      await Deno.remove(path);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path);
  }
}

/** Removes images of runs that were ended more than a day ago. */
async function removeLeftOver(): Promise<void> {
  for await (const { name } of Deno.readDir(CACHE)) {
    if (!name.startsWith("guest-")) continue;
    const { mtime } = await Deno.stat(`${CACHE}/${name}`);
    if (Date.now() - Number(mtime) > DAY_MS) await Deno.remove(`${CACHE}/${name}`);
  }
}

async function addSystem(cpio: CpioWriter, architecture: Architecture): Promise<void> {
  for (const folder of ["dev", "proc", "sys", "tmp"]) await cpio.folder(folder);
  await cpio.device("dev/console", 5, 1);
  const init = await Deno.readFile(new URL("guest/init.sh", import.meta.url));
  await cpio.file("init", init);
  const suite = await Suite.open(SUITE, architecture);
  const { arch, loader } = MACHINES[architecture];
  for (const found of await suite.packages(PACKAGES)) {
    const folder = await suite.unpack(found);
    if (found.name === "busybox-static") {
      await cpio.file("bin/busybox", await Deno.readFile(`${folder}/bin/busybox`));
    }
    if (found.name === "libc6") await cpio.file(loader, await Deno.readFile(`${folder}/${loader}`));
    for (const at of [`lib/${arch}-linux-gnu`, `usr/lib/${arch}-linux-gnu`]) {
      for (const name of await sharedObjects(`${folder}/${at}`)) {
        const target = `lib/${arch}-linux-gnu/${name}`;
        await cpio.file(target, await Deno.readFile(`${folder}/${at}/${name}`));
      }
    }
  }
  for (const applet of ["sh", "nc", "sleep"]) await cpio.link(`bin/${applet}`, "busybox");
  await cpio.file("bin/deno", await Deno.readFile(await deno(architecture)));
}

async function sharedObjects(folder: string): Promise<string[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(folder));
    // by the names that programs ask for, which are links
    return entries.map(({ name }) => name).filter((name) => /\.so\.\d+$/.test(name)).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** The path of Deno's program: this one, or the same version for another architecture. */
async function deno(architecture: Architecture): Promise<string> {
  if (Deno.build.arch === MACHINES[architecture].arch) return Deno.execPath();
  const name = `@deno/linux-${MACHINES[architecture].deno}-glibc`;
  const cache = await madeOnce(
    `${CACHE}/deno-${Deno.version.deno}-${architecture}`,
    async (folder) => {
      const args = ["cache", "--quiet", "--no-lock", `npm:${name}@${Deno.version.deno}`];
      await run(Deno.execPath(), args, { cwd: folder, env: { DENO_DIR: folder } });
    },
  );
  const [registry] = await Array.fromAsync(Deno.readDir(`${cache}/npm`));
  return `${cache}/npm/${registry?.name}/${name}/${Deno.version.deno}/deno`;
}

async function addTree(cpio: CpioWriter): Promise<void> {
  const which = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"];
  // the tests may run as root in another user's clone
  const files = await run("git", [
    "-c",
    `safe.directory=${REPOSITORY.replace(/\/$/, "")}`,
    ...which,
  ], {
    cwd: REPOSITORY,
  });
  for (const name of files.split("\0")) {
    if (name === "" || LEFT_OUT.test(name)) continue;
    await cpio.file(`${TREE}/${name}`, await Deno.readFile(`${REPOSITORY}${name}`), 0o644);
  }
}
