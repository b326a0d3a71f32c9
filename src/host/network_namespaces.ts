/** The network namespaces of this host. */
import { listKernelFolder } from "../../ffi/kernel_file.ts";
import { namespaceOf } from "./procfs.ts";

/** A network namespace, and one of the processes in it. */
export interface NetworkNamespace {
  /** Inode, as in `Session.netns`. */
  readonly inode: number;
  readonly pid: string;
}

/** Those in which a process of this pid namespace runs, each once; none without /proc. */
export function* networkNamespaces(): Generator<NetworkNamespace, void, void> {
  const seen = new Set<number>();
  for (const name of processIds()) {
    const inode = namespaceOf(name, "net");
    if (inode === 0 || seen.has(inode)) continue;
    seen.add(inode);
    yield { inode, pid: name };
  }
}

function processIds(): string[] {
  try {
    return listKernelFolder("/proc").map(({ name }) => name).filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}
