/** What capture needs of this host, and what to do if it lacks something. */
import { descriptorLimit, spareDescriptors } from "../../ffi/descriptors.ts";
import { listKernelFolder } from "../../ffi/kernel_file.ts";
import { libbpfVersion } from "../../ffi/libbpf.ts";
import {
  missingCapabilities,
  missingToLoad,
  USEFUL,
  type UsefulCapability,
} from "../host/capabilities.ts";
import { HostError, messageOf } from "../messages/errors.ts";
import type { HostCheck } from "../host/check.ts";
import { withAdvice } from "../host/host_error.ts";
import { checkJit, readJit } from "../host/jit.ts";
import { checkKernel, kernelRelease } from "../host/kernel_release.ts";
import { checkLockdown, readLockdown } from "../host/lockdown.ts";
import { checkObjectFile } from "../host/object_file.ts";
import { checkOpenFiles, NEEDED_DESCRIPTORS } from "../host/open_files.ts";
import { KERNEL_WITH_BTF } from "../host/refusal.ts";
import { type Hook, HOOKS, presentHooks } from "./hooks.ts";
import { isOptional } from "./omission.ts";

const BTF_FOLDER = "/sys/kernel/btf";
const BTF = `${BTF_FOLDER}/vmlinux`;

/** Checks everything that capture needs, in the order in which it needs it. */
export function checkHost(): HostCheck[] {
  // the first, because without descriptors nothing else can be checked
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
  if (libbpf.result !== "ok") return basics; // libbpf reads the type information
  const btf = checkBtf();
  if (btf.result !== "ok") return [...basics, btf];
  const present = presentHooks();
  const required = HOOKS.filter(({ program }) => !isOptional(program)); // capture reports what it runs without
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

function checkPrivileges(): HostCheck {
  const name = "privileges";
  const missing = missingToLoad();
  if (missing.length === 0) return { name, result: "ok", found: "may load tracing programs" };
  const lacking = missing.join(" and ");
  return {
    name,
    result: "no",
    found: `user id ${Deno.uid()} may not load tracing programs: it lacks ${lacking}`,
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
  if (!isMounted("/sys/kernel")) {
    return { name, result: "no", found: `no ${BTF}: /sys is not mounted`, advice: MOUNT_SYS };
  }
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
    return { name, result: "no", found: messageOf(error), advice: `look at ${BTF}` };
  }
}

const MOUNT_SYS = "mount -t sysfs sysfs /sys; a container: --volume /sys:/sys:ro";

/** Whether there is anything in a folder of the kernel's. */
function isMounted(folder: string): boolean {
  try {
    return listKernelFolder(folder).some(({ name }) => !name.startsWith("."));
  } catch {
    return false;
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
