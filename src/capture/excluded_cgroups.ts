/** Cgroups (v2) by path, as the kernel program knows them: by id. */
import { cgroupIdOf, cgroupMountPoint } from "../cgroup_index.ts";
import { HostError } from "../errors.ts";

/** The kernel program's map. */
export interface CgroupMap {
  add(id: bigint): void;
  remove(id: bigint): void;
}

/**
 * Keeps the kernel program informed of the ids: a service that is started again has another cgroup,
 * under the same path.
 */
export class ExcludedCgroups {
  readonly #map: CgroupMap;
  readonly #root: string;
  readonly #ids = new Map<string, bigint | undefined>(); // by path

  /**
   * @param paths as in /proc/PID/cgroup: `/system.slice/nginx.service`
   * @throws {HostError} if there are some, and no hierarchy of cgroups v2
   */
  constructor(paths: readonly string[], map: CgroupMap) {
    const root = cgroupMountPoint();
    if (root === undefined && paths.length > 0) {
      throw new HostError(
        "cannot exclude cgroups: no hierarchy of cgroups v2 is mounted; " +
          "mount one: mount -t cgroup2 none /sys/fs/cgroup/unified",
      );
    }
    this.#root = root ?? "";
    this.#map = map;
    for (const path of paths) this.#ids.set(path, undefined);
    this.refresh();
  }

  /** Paths at which there is no cgroup now. */
  get missing(): string[] {
    return [...this.#ids].filter(([, id]) => id === undefined).map(([path]) => path);
  }

  /** Looks all of them up again. */
  refresh(): void {
    for (const [path, known] of this.#ids) {
      const id = idOf(this.#root + path);
      if (id === known) continue;
      this.#ids.set(path, id);
      const others = [...this.#ids.values()];
      if (known !== undefined && !others.includes(known)) this.#map.remove(known);
      if (id !== undefined) this.#map.add(id);
    }
  }
}

function idOf(folder: string): bigint | undefined {
  try {
    return cgroupIdOf(folder);
  } catch {
    return undefined;
  }
}
