/** Cgroups by their paths, as container runtimes, kubelets and systemd name them. */
import { strict as assert } from "node:assert";

/** Folders above those of the cases, which the cases share. */
const made = new Set<string>();

/** The folder of a cgroup, made with those above it, and removed again. */
export class CgroupFolder implements Disposable {
  readonly path: string;
  readonly #root: string;

  /**
   * @param path below the root, with a part that no other case has
   * @param hierarchy a controller of cgroup v1, or `name=systemd`; v2 by default
   */
  constructor(path: string, hierarchy?: string) {
    const root = mountPoint(hierarchy);
    assert.ok(root !== undefined, `no cgroup hierarchy is mounted: ${hierarchy ?? "v2"}`);
    this.#root = root;
    this.path = root + path;
    this.#make();
  }

  [Symbol.dispose](): void {
    for (const folder of this.#folders().reverse()) {
      if (!made.has(folder)) continue;
      try {
        Deno.removeSync(folder);
      } catch {
        return; // another case is in it
      }
    }
  }

  /** Tries again if another test run removes the folders above. */
  #make(tries = 3): void {
    for (const folder of this.#folders()) {
      try {
        Deno.mkdirSync(folder);
        made.add(folder);
      } catch (error) {
        if (error instanceof Deno.errors.AlreadyExists) continue;
        if (!(error instanceof Deno.errors.NotFound) || tries === 1) throw error;
        this.#make(tries - 1);
      }
    }
  }

  /** From the topmost to its own. */
  #folders(): string[] {
    const names = this.path.slice(this.#root.length + 1).split("/");
    return names.map((_, i) => `${this.#root}/${names.slice(0, i + 1).join("/")}`);
  }
}

/** Whether a hierarchy of cgroup v1 is mounted. */
export function hasHierarchy(hierarchy: string): boolean {
  return mountPoint(hierarchy) !== undefined;
}

function mountPoint(hierarchy: string | undefined): string | undefined {
  const mounts = Deno.readTextFileSync("/proc/mounts").split("\n").map((line) => line.split(" "));
  return mounts.find(([, , type, options = ""]) =>
    hierarchy === undefined
      ? type === "cgroup2"
      : type === "cgroup" && options.split(",").includes(hierarchy)
  )?.[1];
}
