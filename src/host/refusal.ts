/** What a refusal of the kernel means on this host, and what to do about it. */
import { constants } from "node:os";
import type { Capability } from "./capabilities.ts";
import { LESS_LOCKDOWN, LOCKDOWN, type Lockdown } from "./lockdown.ts";
import { MORE_OPEN_FILES } from "./open_files.ts";
import { LET_BPF_THROUGH } from "./seccomp_filter.ts";
import { OUT_OF_USER_NAMESPACE } from "./user_namespace.ts";

/** What the kernel and libbpf said. */
export interface Refusal {
  /** Positive errno, if one is known. */
  readonly errno: number | undefined;
  /** What was attempted, then the lines of libbpf and the verifier. */
  readonly lines: readonly string[];
}

/** What may explain a refusal. */
export interface RefusedHost {
  readonly release: string;
  /** Those of CAP_BPF and CAP_PERFMON that are missing; none if CAP_SYS_ADMIN replaces them. */
  readonly missing: readonly Capability[];
  readonly userNamespace: boolean;
  /** Whether a seccomp filter refuses bpf(2). */
  readonly filtered: boolean;
  readonly lockdown: Lockdown | undefined;
}

const {
  E2BIG,
  EACCES,
  EINVAL,
  EMFILE,
  ENFILE,
  ENOENT,
  ENOMEM,
  ENOSPC,
  ENOSYS,
  EPERM,
  ESRCH,
} = constants.errno;

/** @returns what to do, each way on a line; nothing if no way is known */
export function explainRefusal(refusal: Refusal, host: RefusedHost): readonly string[] {
  const { errno, lines } = refusal;
  const said = (pattern: RegExp) => lines.some((line) => pattern.test(line));
  const { lockdown } = host;
  if (said(NO_SUCH_HELPER) && (lockdown === undefined || lockdown === "confidentiality")) {
    return [UNLOCK];
  }
  switch (errno) {
    case EPERM:
      return permission(host);
    case EMFILE:
    case ENFILE:
      return [`too many files are open: ${MORE_OPEN_FILES}`];
    case ENOMEM:
      return [MEMORY];
    case ENOSYS:
      return [host.filtered ? LET_BPF_THROUGH : NO_BPF];
    case E2BIG:
      if (said(TOO_COMPLEX)) return [tooComplex(host)];
      return [said(/\bmap\b/) ? MEMORY : refusedByVerifier(host)];
    case ENOENT:
    case ESRCH:
    case EACCES:
    case EINVAL:
    case ENOSPC:
      if (said(/load failed/)) return [refusedByVerifier(host)];
      if (said(/BTF/)) return [BTF];
      return errno === EACCES ? permission(host) : [];
    default:
      return [];
  }
}

/** What may stop a process that has the capabilities, the most certain first. */
function permission(host: RefusedHost): readonly string[] {
  const { missing, userNamespace, filtered, lockdown, release } = host;
  if (missing.length > 0) {
    return [
      `give this process ${missing.join(" and ")}, or run it as root; ` +
      "kernel.unprivileged_bpf_disabled need not be changed",
    ];
  }
  const causes: string[] = [];
  if (userNamespace) causes.push(`in a user namespace, ${OUT_OF_USER_NAMESPACE}`);
  if (filtered) causes.push(`a seccomp filter refuses bpf(2): ${LET_BPF_THROUGH}`);
  if (lockdown === "confidentiality") causes.push(UNLOCK);
  return causes.length > 0 ? causes : [
    "the process has the capabilities: a security module (SELinux, AppArmor, BPF LSM), or the " +
    `makers of Linux ${release}, forbid this program; the kernel's log may say more: dmesg`,
  ];
}

/** A helper that the kernel refuses under lockdown, which it may not mention. */
const NO_SUCH_HELPER = /(unknown func|cannot use helper) bpf_probe_read_kernel#/;

const TOO_COMPLEX = /too (large|complex|many)|sequence of \d+ jumps/i;

const UNLOCK =
  `kernel lockdown (${LOCKDOWN}) forbids reading the kernel's memory: ${LESS_LOCKDOWN}`;

const NO_BPF = "this kernel has no bpf(2): use one with CONFIG_BPF_SYSCALL=y";

const MEMORY =
  "there is not enough memory for maps: make capture.ring_buffer smaller, or raise the memory " +
  "limit of the container or service";

/** What to do without BTF. */
export const KERNEL_WITH_BTF =
  "use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as those of current distributions are";

const BTF = `the kernel's type information is missing or cannot be read: ${KERNEL_WITH_BTF}`;

function tooComplex({ release }: RefusedHost): string {
  return `the verifier of Linux ${release} gave up on the program: use a later kernel`;
}

function refusedByVerifier({ release }: RefusedHost): string {
  return `the verifier of Linux ${release} refuses the program, which is a bug in tcpspan: ` +
    "report it with these lines; another kernel may take it";
}
