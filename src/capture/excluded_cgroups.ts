/** Cgroups (v2) by path, as the kernel program knows them: by id. */
import { cgroupIdOf, cgroupMountPoint } from "../host/cgroup_index.ts";

/** The kernel program's map. */
export interface CgroupMap {
  add(id: bigint): void;
  remove(id: bigint): void;
}

/**
 * Keeps the ids in the kernel program up to date: a service that is started again has another
 * cgroup, under the same path.
 */
export class ExcludedCgroups {
  readonly #map: CgroupMap;
  readonly #root: string | undefined;
  readonly #ids = new Map<string, bigint | undefined>(); // by path

  /** @param paths as in /proc/PID/cgroup: `/system.slice/nginx.service` */
  constructor(paths: readonly string[], map: CgroupMap) {
    this.#root = cgroupMountPoint();
    this.#map = map;
    for (const path of paths) this.#ids.set(path, undefined);
    this.refresh();
  }

  /** False if something is to be excluded and there is no hierarchy of cgroups v2. */
  get canExclude(): boolean {
    return this.#root !== undefined || this.#ids.size === 0;
  }

  /** Paths at which there is no cgroup now. */
  get missing(): string[] {
    if (!this.canExclude) return [];
    return [...this.#ids].filter(([, id]) => id === undefined).map(([path]) => path);
  }

  /** Looks all of them up again. */
  refresh(): void {
    if (this.#root === undefined) return;
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
