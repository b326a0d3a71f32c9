/** Debian's packages from any suite, unpacked into the cache; nothing is installed. */
import { CACHE, madeOnce, run } from "./cache.ts";
import type { Architecture } from "./kernels.ts";

const LISTS_LAST_MS = 24 * 3600 * 1000;

/** One package of a {@linkcode Suite}. */
export interface Package {
  readonly name: string;
  readonly version: string;
}

/** The packages of one suite for one architecture, through apt with its own configuration. */
export class Suite {
  readonly #name: string;
  readonly #architecture: Architecture;
  readonly #folder: string;
  readonly #environment: Record<string, string>;

  private constructor(name: string, architecture: Architecture, folder: string) {
    this.#name = name;
    this.#architecture = architecture;
    this.#folder = folder;
    this.#environment = { APT_CONFIG: `${folder}/apt.conf`, LC_ALL: "C.UTF-8" };
  }

  /**
   * Fetches the suite's list, unless that of the last day is there.
   * @throws {Error} if the host's apt names no mirror of Debian, or the mirror cannot be reached and
   * no list is there
   */
  static async open(name: string, architecture: Architecture): Promise<Suite> {
    const folder = `${CACHE}/apt/${name}-${architecture}`;
    const suite = new Suite(name, architecture, folder);
    await suite.#configure();
    if (await suite.#age() > LISTS_LAST_MS) {
      try {
        await suite.#update();
      } catch (error) {
        if (await suite.#age() === Infinity) throw error;
        console.error(`kernels: going on with an old list of ${name}: ${messageOf(error)}`);
      }
    }
    return suite;
  }

  /** The packages of these names. @throws {Error} if one is missing */
  async packages(names: readonly string[]): Promise<Package[]> {
    const versions = await this.#versions(names);
    return names.map((name) => {
      const version = versions.get(name);
      if (version === undefined) throw this.#missing(name);
      return { name, version };
    });
  }

  /** The package with the highest version among those whose name matches. @throws {Error} if none does */
  async newest(prefix: string, name: RegExp): Promise<Package> {
    const names = (await this.#apt("apt-cache", ["pkgnames", prefix])).split("\n");
    let newest: Package | undefined;
    for (
      const [found, version] of await this.#versions(names.filter((found) => name.test(found)))
    ) {
      if (newest === undefined || await isNewer(version, newest.version)) {
        newest = { name: found, version };
      }
    }
    if (newest === undefined) throw this.#missing(name.source);
    return newest;
  }

  /**
   * Downloads and unpacks a package, once.
   * @param part files to unpack, with tar's wildcards
   * @returns the folder that holds its files
   */
  unpack({ name, version }: Package, part = "*"): Promise<string> {
    const path = `${CACHE}/packages/${this.#architecture}/${name}_${
      version.replaceAll(/[:~]/g, "_")
    }`;
    return madeOnce(path, async (folder) => {
      const download = `${folder}.download`;
      await Deno.mkdir(download, { recursive: true });
      try {
        const args = ["download", `${name}=${version}`];
        await this.#apt("apt-get", args, download).catch(async () => {
          await this.#update(); // the mirror may have only a newer one
          await this.#apt("apt-get", args, download);
        });
        const script = 'dpkg-deb --fsys-tarfile "$1"/*.deb | tar -x -C "$2" --wildcards "$3"';
        await run("sh", ["-e", "-c", script, "sh", download, folder, part]);
      } finally {
        await Deno.remove(download, { recursive: true });
      }
    });
  }

  async #update(): Promise<void> {
    await this.#apt("apt-get", ["update", "--error-on=any"]);
    await Deno.writeTextFile(`${this.#folder}/updated`, "");
  }

  /** Versions by name, without packages that others only mention. */
  async #versions(names: readonly string[]): Promise<Map<string, string>> {
    if (names.length === 0) return new Map();
    const lines = (await this.#apt("apt-cache", ["madison", ...names])).trimEnd().split("\n");
    const versions = new Map<string, string>();
    for (const [name = "", version = ""] of lines.map((line) => line.split("|"))) {
      if (!versions.has(name.trim())) versions.set(name.trim(), version.trim()); // the newest is first
    }
    return versions;
  }

  #missing(name: string): Error {
    return new Error(
      `cannot find ${name}: Debian's ${this.#name} has none for ${this.#architecture}`,
    );
  }

  /** Milliseconds since the list was fetched. */
  async #age(): Promise<number> {
    try {
      const { mtime } = await Deno.stat(`${this.#folder}/updated`);
      return Date.now() - Number(mtime);
    } catch {
      return Infinity;
    }
  }

  async #configure(): Promise<void> {
    const folder = this.#folder;
    for (const part of ["lists/partial", "archives/partial", "parts"]) {
      await Deno.mkdir(`${folder}/${part}`, { recursive: true });
    }
    const mirror = await mirrorOf(this.#name);
    await Deno.writeTextFile(`${folder}/sources.list`, `deb ${mirror} ${this.#name} main\n`);
    await Deno.writeTextFile(`${folder}/status`, ""); // nothing is installed
    await Deno.writeTextFile(
      `${folder}/apt.conf`,
      `APT::Architecture "${this.#architecture}";
APT::Architectures { "${this.#architecture}"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Dir::Etc::sourcelist "${folder}/sources.list";
Dir::Etc::sourceparts "${folder}/parts";
Dir::Etc::preferencesparts "${folder}/parts";
Dir::State::lists "${folder}/lists";
Dir::State::status "${folder}/status";
Dir::Cache "${folder}";
`,
    );
  }

  #apt(command: string, args: readonly string[], cwd = this.#folder): Promise<string> {
    return run(command, ["-qq", ...args], { cwd, env: this.#environment });
  }
}

/** The mirror of a suite, by the configuration of the host's apt. */
async function mirrorOf(suite: string): Promise<string> {
  const codename = /^VERSION_CODENAME=(.*)$/m.exec(await Deno.readTextFile("/etc/os-release"))?.[1];
  const own = suite.endsWith("-security") ? `${codename}-security` : codename;
  const format = "$(RELEASE) $(COMPONENT) $(REPO_URI)";
  const targets = await run("apt-get", ["indextargets", "--format", format]);
  const mirror = targets.split("\n").map((line) => line.split(" "))
    .find(([release, component]) => release === own && component === "main")?.[2];
  if (mirror !== undefined) return mirror;
  throw new Error(
    `cannot find a mirror for Debian's ${suite}: apt's sources of this host have no ${own} with ` +
      "the component main; kernels can be tested on Debian alone",
  );
}

async function isNewer(version: string, than: string): Promise<boolean> {
  const { success } = await new Deno.Command("dpkg", {
    args: ["--compare-versions", version, "gt", than],
  }).output();
  return success;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
