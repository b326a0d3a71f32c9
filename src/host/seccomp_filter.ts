/** A seccomp filter on this process, as container runtimes put there: seccomp(2). */
import { Pinned } from "../../ffi/pinned.ts";
import { SystemError } from "../../ffi/libc.ts";
import { readProc } from "../procfs.ts";
import type { HostCheck } from "./check.ts";

const EPERM = 1;
const EACCES = 13;
const ENOSYS = 38;

/** Whether a filter decides on system calls. @param status text of /proc/self/status */
export function isFiltered(status = readProc("self/status")): boolean {
  return /^Seccomp:\s*2$/m.test(status ?? "");
}

/**
 * The errno with which bpf(2) is refused before the kernel looks at what is asked of it; undefined if
 * it is not. Nothing is done: what is asked for is a pin that is not there.
 */
export function bpfRefusal(): number | undefined {
  try {
    using _never = new Pinned("/sys/fs/bpf/tcpspan-there-is-no-such-pin");
    return undefined;
  } catch (error) {
    if (!(error instanceof SystemError)) return undefined; // without libbpf nothing is known
    return [EPERM, EACCES, ENOSYS].includes(error.errno) ? error.errno : undefined;
  }
}

/**
 * @param status text of /proc/self/status
 * @param refusal as {@linkcode bpfRefusal} has it
 */
export function checkSeccompFilter(
  status: string | undefined,
  refusal: number | undefined,
): HostCheck {
  const name = "seccomp filter";
  if (status === undefined) {
    return { name, result: "ok", found: "not told: no /proc/self/status" };
  }
  if (!isFiltered(status)) return { name, result: "ok", found: "none" };
  if (refusal === undefined) return { name, result: "ok", found: "one that lets bpf(2) through" };
  return { name, result: "no", found: "one that refuses bpf(2)", advice: LET_BPF_THROUGH };
}

/** What to do. */
export const LET_BPF_THROUGH =
  "have the container's seccomp profile allow bpf: Docker does with --cap-add=BPF,PERFMON or " +
  "--security-opt seccomp=unconfined, Kubernetes with seccompProfile: { type: Unconfined }, " +
  "systemd with SystemCallFilter=bpf";
