/** Cgroups by id: they name the service of a process that ended before its session is read. */
import { listKernelFolder } from "../../ffi/kernel_file.ts";
import { type CgroupNames, parseCgroups } from "./cgroup.ts";
import { readProc } from "./procfs.ts";
import { ScanBudget } from "./scan_budget.ts";

const MOST_KNOWN = 16_384;
const NOTHING: CgroupNames = { containerId: undefined, podUid: undefined, service: undefined };

/** The names of cgroups (v2), learnt from living processes and from the cgroup file system. */
export class CgroupIndex {
  readonly #known = new Map<bigint, CgroupNames>();
  readonly #scans: ScanBudget;

  constructor(scans = new ScanBudget()) {
    this.#scans = scans;
  }

  /** Remembers what a living process in cgroup `id` showed. */
  learn(id: bigint, names: CgroupNames): void {
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(id, names);
  }

  /** The names of cgroup `id`, its folder's inode; undefined if it is unknown. */
  find(id: bigint): CgroupNames | undefined {
    const known = this.#known.get(id);
    if (known !== undefined || !this.#scans.allows) return known;
    this.#scans.spend(() => {
      const root = cgroupMountPoint();
      if (root !== undefined) this.#scan(root, "/");
    });
    if (!this.#known.has(id)) this.learn(id, NOTHING); // there is no such cgroup any more
    return this.#known.get(id);
  }

  #scan(root: string, path: string): void {
    try {
      for (const { name, inode, isDirectory } of listKernelFolder(root + path)) {
        if (name === ".") {
          if (!this.#known.has(inode)) this.learn(inode, parseCgroups(`0::${path}`));
        } else if (isDirectory && name !== "..") {
          this.#scan(root, path === "/" ? `/${name}` : `${path}/${name}`);
        }
      }
    } catch {
      // removed meanwhile
    }
  }
}

/** Where the cgroup v2 hierarchy is mounted: proc_pid_mountinfo(5), field 5 and after the dash. */
export function cgroupMountPoint(): string | undefined {
  return /^\d+ \d+ \S+ \S+ (\S+) .* - cgroup2 /m.exec(readProc("self/mountinfo") ?? "")?.[1];
}

/**
 * The id of the cgroup at `folder`, which is its inode.
 * @throws {SystemError} if there is no such folder
 */
export function cgroupIdOf(folder: string): bigint {
  return listKernelFolder(folder).find(({ name }) => name === ".")?.inode ?? 0n;
}
