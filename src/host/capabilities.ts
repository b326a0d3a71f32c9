/** What this process may do, and what tcpspan needs it for: capabilities(7). */
import { effectiveCapabilities } from "../../ffi/capabilities.ts";

/** Bits of include/uapi/linux/capability.h. */
const BITS = {
  CAP_DAC_READ_SEARCH: 2n,
  CAP_SYS_PTRACE: 19n,
  CAP_SYS_ADMIN: 21n,
  CAP_PERFMON: 38n,
  CAP_BPF: 39n,
} as const;

/** A capability that tcpspan uses. */
export type Capability = keyof typeof BITS;

/** A capability without which capture works, but finds out less. */
export interface UsefulCapability {
  readonly name: Capability;
  /** What it is used for. */
  readonly use: string;
  /** What is not known without it. */
  readonly loss: string;
}

/** `/proc/PID/exe` and `ns` need the right to trace the process: proc(5), ptrace(2). */
export const SYS_PTRACE: UsefulCapability = {
  name: "CAP_SYS_PTRACE",
  use: "may see other users' executables and namespaces",
  loss: "spans of other users' processes lack process.executable.path and process.command_line, " +
    "and peers in other network namespaces of this host may not be known as such",
};

/** Only its user may open the file `/proc/PID/environ`, and that needs CAP_SYS_PTRACE as well. */
export const DAC_READ_SEARCH: UsefulCapability = {
  name: "CAP_DAC_READ_SEARCH",
  use: "may read other users' environment, for resource.from_process_env",
  loss: "resource.from_process_env finds no OTEL_SERVICE_NAME of other users' processes",
};

/** setns(2) into another network namespace, to walk its sockets. */
export const SYS_ADMIN: UsefulCapability = {
  name: "CAP_SYS_ADMIN",
  use: "may enter other network namespaces",
  loss: "sessions in other network namespaces that were open before the start have no role until " +
    "their end, and those that no process holds are not reported or counted at the end",
};

/** All that capture can do without, the most useful first. */
export const USEFUL: readonly UsefulCapability[] = [SYS_PTRACE, DAC_READ_SEARCH, SYS_ADMIN];

/** Those of `wanted` that this process lacks. */
export function missingCapabilities<Wanted extends Capability>(
  wanted: readonly Wanted[],
): readonly Wanted[] {
  const effective = effectiveCapabilities();
  return wanted.filter((name) => (effective >> BITS[name] & 1n) === 0n);
}

/** What this process lacks to load tracing programs; CAP_SYS_ADMIN alone replaces both. */
export function missingToLoad(): readonly Capability[] {
  if (missingCapabilities(["CAP_SYS_ADMIN"]).length === 0) return [];
  return missingCapabilities(["CAP_BPF", "CAP_PERFMON"]);
}
