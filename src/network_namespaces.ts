/** The network namespaces of this host. */
import { listKernelFolder } from "../ffi/kernel_file.ts";
import { namespaceOf } from "./procfs.ts";

/** A network namespace, and one of the processes in it. */
export interface NetworkNamespace {
  /** Inode, as in `Session.netns`. */
  readonly inode: number;
  readonly pid: string;
}

/** Those that have a process of this pid namespace in them, each once. */
export function* networkNamespaces(): Generator<NetworkNamespace, void, void> {
  const seen = new Set<number>();
  for (const { name } of listKernelFolder("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const inode = namespaceOf(name, "net");
    if (inode === 0 || seen.has(inode)) continue;
    seen.add(inode);
    yield { inode, pid: name };
  }
}
