/** A seccomp filter on this process, as container runtimes set one: seccomp(2). */
import { constants } from "node:os";
import { SystemError } from "../../ffi/libc.ts";
import { mapInfo } from "../../ffi/map.ts";
import { readProc } from "./procfs.ts";
import type { HostCheck } from "./check.ts";

const { ENOSYS, EPERM } = constants.errno;

/** Whether a filter decides on system calls. @param status text of /proc/self/status */
function isFiltered(status: string): boolean {
  return /^Seccomp:\s*2$/m.test(status);
}

/**
 * Whether a filter refuses bpf(2): for a map that does not exist the kernel itself returns EBADF.
 * Older kernels return EPERM, as a filter does, if the process lacks CAP_BPF in the host's user
 * namespace.
 */
export function refusesBpf(status = readProc("self/status")): boolean {
  if (!isFiltered(status ?? "")) return false;
  try {
    mapInfo(-1);
    return false;
  } catch (error) {
    // without libbpf nothing is known
    return error instanceof SystemError && [EPERM, ENOSYS].includes(error.errno);
  }
}

/**
 * @param status text of /proc/self/status
 * @param refuses what {@linkcode refusesBpf} returns; false if programs were loaded
 */
export function checkSeccompFilter(status: string | undefined, refuses: boolean): HostCheck {
  const name = "seccomp filter";
  if (status === undefined) {
    return { name, result: "ok", found: "unknown: no /proc/self/status" };
  }
  if (!isFiltered(status)) return { name, result: "ok", found: "none" };
  if (!refuses) return { name, result: "ok", found: "one that lets bpf(2) through" };
  return { name, result: "no", found: "one that refuses bpf(2)", advice: LET_BPF_THROUGH };
}

/** What to do. */
export const LET_BPF_THROUGH =
  "have the container's seccomp profile allow bpf: Docker does with --cap-add=BPF,PERFMON or " +
  "--security-opt seccomp=unconfined, Kubernetes with seccompProfile: { type: Unconfined }, " +
  "systemd with SystemCallFilter=bpf";
