/** What this host has to offer for capture, and what to do where it lacks something. */
import { Btf } from "../../ffi/btf.ts";
import { descriptorLimit, spareDescriptors } from "../../ffi/descriptors.ts";
import { listKernelFolder } from "../../ffi/kernel_file.ts";
import { libbpfVersion } from "../../ffi/libbpf.ts";
import {
  missingCapabilities,
  missingToLoad,
  USEFUL,
  type UsefulCapability,
} from "./capabilities.ts";
import { HostError, messageOf } from "../messages/errors.ts";
import type { HostCheck } from "./check.ts";
import { withAdvice } from "./host_error.ts";
import { checkJit, readJit } from "./jit.ts";
import { checkKernel, kernelRelease } from "./kernel_release.ts";
import { checkLockdown, readLockdown } from "./lockdown.ts";
import { checkObjectFile } from "./object_file.ts";
import { checkOpenFiles, NEEDED_DESCRIPTORS } from "./open_files.ts";
import { KERNEL_WITH_BTF } from "./refusal.ts";

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
  // the first, since without descriptors nothing else can be looked at
  const files = checkOpenFiles(spareDescriptors(NEEDED_DESCRIPTORS), descriptorLimit());
  if (files.result === "no") return [files];
  const release = kernelRelease();
  const libbpf = checkLibbpf();
  const basics = [
    checkKernel(release),
    checkPrivileges(),
    ...USEFUL.map(checkUseful),
    checkLockdown(readLockdown()),
    checkJit(readJit(), release),
    files,
    checkObjectFile(),
    libbpf,
  ];
  if (libbpf.result !== "ok") return basics; // it reads the type information
  const btf = checkBtf();
  if (btf.result !== "ok") return [...basics, btf];
  const present = presentHooks();
  const required = HOOKS.filter(({ optional }) => !optional); // capture says what it goes without
  return [...basics, btf, ...required.map((hook) => checkHook(hook, present.includes(hook)))];
}

/** @throws {HostError} for the first thing without which capture cannot work */
export function requireHost(): void {
  const missing = checkHost().find(({ result }) => result === "no");
  if (missing === undefined) return;
  const { name, found, advice } = missing;
  const what = `cannot trace here: ${name}: ${found}`;
  throw new HostError(withAdvice(what, advice?.split("\n") ?? []));
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

function checkPrivileges(): HostCheck {
  const name = "privileges";
  const missing = missingToLoad();
  if (missing.length === 0) return { name, result: "ok", found: "may load tracing programs" };
  const lacking = missing.join(" and ");
  return {
    name,
    result: "no",
    found: `user id ${Deno.uid()} may not load tracing programs, for want of ${lacking}`,
    advice: Deno.uid() === 0
      ? `give this root ${lacking}, or CAP_SYS_ADMIN; a container: --cap-add=BPF,PERFMON`
      : `run tcpspan as root: sudo deno run -A mod.ts, or give it ${lacking}: see docs/security.md`,
  };
}

function checkUseful({ name, use, loss }: UsefulCapability): HostCheck {
  if (missingCapabilities([name]).length === 0) return { name, result: "ok", found: use };
  return { name, result: "without", found: "not given", advice: loss };
}

function checkBtf(): HostCheck {
  const name = "kernel type information (BTF)";
  if (!existsBtf()) {
    return {
      name,
      result: "no",
      found: `no ${BTF}`,
      advice: KERNEL_WITH_BTF,
    };
  }
  try {
    presentHooks();
    return { name, result: "ok", found: BTF };
  } catch (error) {
    return { name, result: "no", found: messageOf(error), advice: `see what ${BTF} is` };
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
    return { name: "libbpf", result: "no", found: messageOf(error) };
  }
}

function checkHook({ tracepoint }: Hook, present: boolean): HostCheck {
  const name = `tracepoint ${tracepoint}`;
  if (present) return { name, result: "ok", found: "there" };
  return { name, result: "no", found: "not in this kernel", advice: "use a newer kernel" };
}
