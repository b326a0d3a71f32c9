/** The network namespaces of this host. */
import { readProcLink } from "./procfs.ts";

/** A network namespace, and one of the processes in it. */
export interface NetworkNamespace {
  /** Inode, as in `Session.netns`. */
  readonly inode: number;
  readonly pid: string;
}

/** Inode of the network namespace of process `pid`, or `self`; 0 if nobody tells. */
export function networkNamespaceOf(pid: string): number {
  return Number(/\d+/.exec(readProcLink(`${pid}/ns/net`) ?? "")?.[0] ?? 0);
}

/** Those that have a process of this pid namespace in them, each once. */
export function* networkNamespaces(): Generator<NetworkNamespace, void, void> {
  const seen = new Set<number>();
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const inode = networkNamespaceOf(name);
    if (inode === 0 || seen.has(inode)) continue;
    seen.add(inode);
    yield { inode, pid: name };
  }
}
