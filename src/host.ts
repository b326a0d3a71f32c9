/** What this host has to offer for capture, and what to do where it lacks something. */
import { Btf } from "../ffi/btf.ts";
import { listKernelFolder } from "../ffi/kernel_file.ts";
import { libbpfVersion } from "../ffi/libbpf.ts";
import { missingCapabilities, USEFUL, type UsefulCapability } from "./capabilities.ts";
import { HostError, messageOf } from "./errors.ts";

/** One thing that was looked at. */
export interface HostCheck {
  readonly name: string;
  /** `missing`: capture cannot work. `limited`: it works with less. */
  readonly result: "ok" | "limited" | "missing";
  /** What was found. */
  readonly found: string;
  /** What to do about it, where something is to be done. */
  readonly advice?: string;
}

const FLOOR = [5, 11] as const;
const BTF_FOLDER = "/sys/kernel/btf";
const BTF = `${BTF_FOLDER}/vmlinux`;

/** A tracepoint and the program of bpf/tcpspan.bpf.c that attaches to it. */
export interface Hook {
  readonly program: string;
  readonly tracepoint: string;
  /** Without it capture works with less. */
  readonly optional: boolean;
}

/** All hooks of the kernel program. */
export const HOOKS: readonly Hook[] = [
  { program: "set_state", tracepoint: "inet_sock_set_state", optional: false },
  { program: "destroy_sock", tracepoint: "tcp_destroy_sock", optional: true },
  { program: "receive", tracepoint: "tcp_rcv_space_adjust", optional: true },
  { program: "send", tracepoint: "sock_send_length", optional: true },
];

/** Looks at everything that capture needs, in the order in which it needs it. */
export function checkHost(): HostCheck[] {
  const libbpf = checkLibbpf();
  const basics = [checkKernel(), checkPrivileges(), ...USEFUL.map(checkUseful), libbpf];
  if (libbpf.result !== "ok") return basics; // it reads the type information
  const btf = checkBtf();
  if (btf.result !== "ok") return [...basics, btf];
  const present = presentHooks();
  return [...basics, btf, ...HOOKS.map((hook) => checkHook(hook, present.includes(hook)))];
}

/** @throws {HostError} for the first thing without which capture cannot work */
export function requireHost(): void {
  const missing = checkHost().find(({ result }) => result === "missing");
  if (missing === undefined) return;
  const advice = missing.advice === undefined ? "" : `; ${missing.advice}`;
  throw new HostError(`cannot trace here: ${missing.name}: ${missing.found}${advice}`);
}

let present: readonly Hook[] | undefined;

/** The hooks that the running kernel has. Reading its type information takes a while: done once. */
export function presentHooks(): readonly Hook[] {
  if (present === undefined) {
    using btf = Btf.kernel();
    present = HOOKS.filter(({ tracepoint }) => btf.hasTracepoint(tracepoint));
  }
  return present;
}

function checkKernel(): HostCheck {
  const release = Deno.osRelease();
  const [major = 0, minor = 0] = release.split(".").map(Number);
  const enough = major > FLOOR[0] || major === FLOOR[0] && minor >= FLOOR[1];
  return enough ? { name: "kernel", result: "ok", found: `Linux ${release}` } : {
    name: "kernel",
    result: "missing",
    found: `Linux ${release} is too old`,
    advice: `tcpspan needs Linux ${FLOOR.join(".")} or later: earlier kernels cannot keep state ` +
      "per socket in a tracing program",
  };
}

function checkPrivileges(): HostCheck {
  const name = "privileges";
  const missing = missingCapabilities(["CAP_BPF", "CAP_PERFMON"]);
  if (missing.length === 0 || missingCapabilities(["CAP_SYS_ADMIN"]).length === 0) {
    return { name, result: "ok", found: "may load tracing programs" };
  }
  const lacking = missing.join(" and ");
  return {
    name,
    result: "missing",
    found: `user id ${Deno.uid()} may not load tracing programs, for want of ${lacking}`,
    advice: Deno.uid() === 0
      ? `give this root ${lacking}, or CAP_SYS_ADMIN: containers drop them`
      : `run tcpspan as root: sudo deno run -A mod.ts, or give it ${lacking}: see docs/security.md`,
  };
}

function checkUseful({ name, use, loss }: UsefulCapability): HostCheck {
  if (missingCapabilities([name]).length === 0) return { name, result: "ok", found: use };
  return { name, result: "limited", found: "not given", advice: loss };
}

function checkBtf(): HostCheck {
  const name = "kernel type information (BTF)";
  if (!existsBtf()) {
    return {
      name,
      result: "missing",
      found: `no ${BTF}`,
      advice: "use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as those of current " +
        "distributions are",
    };
  }
  try {
    presentHooks();
    return { name, result: "ok", found: BTF };
  } catch (error) {
    return { name, result: "missing", found: messageOf(error), advice: `see what ${BTF} is` };
  }
}

function existsBtf(): boolean {
  try {
    return listKernelFolder(BTF_FOLDER).some(({ name }) => name === "vmlinux");
  } catch {
    return false;
  }
}

function checkLibbpf(): HostCheck {
  try {
    return { name: "libbpf", result: "ok", found: libbpfVersion() };
  } catch (error) {
    return { name: "libbpf", result: "missing", found: messageOf(error) };
  }
}

function checkHook(hook: Hook, present: boolean): HostCheck {
  const name = `tracepoint ${hook.tracepoint}`;
  if (present) return { name, result: "ok", found: "there" };
  const found = "not in this kernel";
  return hook.optional
    ? {
      name,
      result: "limited",
      found,
      advice: "the owner of an accepted socket that only sends is taken from its listener " +
        "(Linux 6.3 and later have it)",
    }
    : { name, result: "missing", found, advice: "use a newer kernel" };
}
