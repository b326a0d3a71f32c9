/** Which kernel runs, and whether it is new enough. */
import { constants } from "node:os";
import { readKernelFile } from "../../ffi/kernel_file.ts";
import { SystemError } from "../../ffi/libc.ts";
import { unameRelease } from "../../ffi/uname.ts";
import type { HostCheck } from "./check.ts";

/** Major and minor number. */
export type KernelVersion = readonly [major: number, minor: number];

const FLOOR: KernelVersion = [5, 11];

/**
 * The running kernel's release, as `6.1.0-18-amd64`.
 * @throws {SystemError} if no file can be opened
 */
export function kernelRelease(): string {
  try {
    return readKernelFile("/proc/sys/kernel/osrelease").trim();
  } catch (error) {
    if (error instanceof SystemError && error.errno === constants.errno.ENOENT) {
      return unameRelease();
    }
    throw error;
  }
}

/** Whether a release is earlier than `version`; so is a text that is not a release. */
export function isBefore(release: string, version: KernelVersion): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  if (major === undefined) return true;
  return Number(major) < version[0] || Number(major) === version[0] && Number(minor) < version[1];
}

/** Whether the kernel can do what tcpspan needs. */
export function checkKernel(release: string): HostCheck {
  if (!isBefore(release, FLOOR)) return { name: "kernel", result: "ok", found: `Linux ${release}` };
  return {
    name: "kernel",
    result: "no",
    found: `Linux ${release} is too old`,
    advice: `tcpspan needs Linux ${FLOOR.join(".")} or later: earlier kernels cannot keep state ` +
      "per socket in a tracing program",
  };
}
