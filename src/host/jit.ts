/** Whether the kernel compiles BPF programs, or interprets them. */
import { readProc } from "./procfs.ts";
import type { HostCheck } from "./check.ts";
import { isBefore, type KernelVersion } from "./kernel_release.ts";

const JIT = "sys/net/core/bpf_jit_enable";

// The interpreter of earlier kernels leaves the upper bytes of narrow reads of kernel memory as they
// were (kernel/bpf/core.c, PROBE_MEM): sizes, ports and states are wrong, and nothing says so.
const RIGHT_WITHOUT: KernelVersion = [5, 19];

/** 0: off; 1 and 2: on; undefined outside the host's own network namespace. */
export function readJit(): string | undefined {
  return readProc(JIT);
}

/** @param text what {@linkcode readJit} returns */
export function checkJit(text: string | undefined, release: string): HostCheck {
  const name = "BPF JIT compiler";
  if (text === undefined) return { name, result: "ok", found: `unknown: no /proc/${JIT} here` };
  if (text.trim() !== "0") return { name, result: "ok", found: "on" };
  if (!isBefore(release, RIGHT_WITHOUT)) {
    return {
      name,
      result: "without",
      found: "off",
      advice: "tracing costs several times as much; to switch it on: " +
        "sysctl net.core.bpf_jit_enable=1",
    };
  }
  return {
    name,
    result: "no",
    found: `off, and the BPF interpreter of Linux ${release} gives wrong rows`,
    advice: "switch it on: sysctl net.core.bpf_jit_enable=1; or use Linux " +
      `${RIGHT_WITHOUT.join(".")} or later`,
  };
}
