/** Kernel lockdown: kernel_lockdown(7). */
import { readKernelFile } from "../../ffi/kernel_file.ts";
import type { HostCheck } from "./check.ts";

/** Where the kernel shows it. There is no such file without lockdown, or if it is not mounted. */
export const LOCKDOWN = "/sys/kernel/security/lockdown";

/** The text of {@linkcode LOCKDOWN}; undefined if there is none. */
export function readLockdown(): string | undefined {
  try {
    return readKernelFile(LOCKDOWN);
  } catch {
    return undefined;
  }
}

/** `confidentiality` forbids programs that read kernel memory, as tracing ones do. */
export type Lockdown = "none" | "integrity" | "confidentiality";

/** The word in brackets: `none [integrity] confidentiality`. */
export function parseLockdown(text: string | undefined): Lockdown | undefined {
  const [, word] = /\[(none|integrity|confidentiality)\]/.exec(text ?? "") ?? [];
  return word === "none" || word === "integrity" || word === "confidentiality" ? word : undefined;
}

/** What to do. */
export const LESS_LOCKDOWN =
  "start the kernel with lockdown=integrity, or without lockdown=, in its command line";

/** @param text what {@linkcode readLockdown} returns */
export function checkLockdown(text: string | undefined): HostCheck {
  const name = "kernel lockdown";
  const lockdown = parseLockdown(text);
  if (lockdown !== "confidentiality") {
    return { name, result: "ok", found: lockdown ?? `no ${LOCKDOWN}` };
  }
  return {
    name,
    result: "no",
    found: "confidentiality: no program may read the kernel's memory",
    advice: LESS_LOCKDOWN,
  };
}
