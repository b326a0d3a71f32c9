/** The user namespace, in which capabilities count. */
import { readProcLink } from "./procfs.ts";
import type { HostCheck } from "./check.ts";

const INITIAL = 0xeffffffd; // PROC_USER_INIT_INO, include/linux/proc_ns.h

/** Whether this process is in another user namespace than the host's. */
export function isInUserNamespace(link = readProcLink("self/ns/user")): boolean {
  const [, inode] = /^user:\[(\d+)\]$/.exec(link ?? "") ?? [];
  return inode !== undefined && Number(inode) !== INITIAL;
}

/** @param link target of /proc/self/ns/user. @param loads whether programs were loaded anyway */
export function checkUserNamespace(link: string | undefined, loads: boolean): HostCheck {
  const name = "user namespace";
  if (link === undefined) return { name, result: "ok", found: "unknown: no /proc/self/ns/user" };
  if (!isInUserNamespace(link)) return { name, result: "ok", found: "the host's" };
  if (loads) return { name, result: "ok", found: "not the host's, but BPF works in it" };
  return { name, result: "no", found: "not the host's", advice: `in it, ${OUT_OF_USER_NAMESPACE}` };
}

/** What to do. */
export const OUT_OF_USER_NAMESPACE =
  "capabilities do not count for BPF: run tcpspan outside of it, as root of the host, and a " +
  "container by a runtime that root started, without user namespaces (Docker: --userns=host)";
