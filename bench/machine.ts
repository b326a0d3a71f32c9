/** The machine that the figures were measured on. */
import { libbpfVersion } from "../ffi/libbpf.ts";
import { readProc } from "../src/host/procfs.ts";
import { VERSION } from "../src/version.ts";
import { run } from "../test/kernel/host.ts";
import { bpfStatsEnabledElsewhere } from "./bpf_stats.ts";

/** Lines of `name: value`. */
export type Machine = Readonly<Record<string, string>>;

/** Read before anything runs: the load average shows whether others use the machine. */
export async function describeMachine(): Promise<Machine> {
  const info = readProc("cpuinfo") ?? "";
  const model = /^(?:model name|Model)\s*: (.*)$/m.exec(info)?.[1] ?? Deno.build.arch;
  const memory = Number(/^MemTotal:\s+(\d+)/m.exec(readProc("meminfo") ?? "")?.[1] ?? NaN);
  return {
    kernel: `Linux ${Deno.osRelease()}, ${Deno.build.arch}`,
    machine: `${navigator.hardwareConcurrency} cores (${model}), ` +
      `${(memory / 1024 ** 2).toFixed(0)} GiB${info.includes("hypervisor") ? ", virtual" : ""}`,
    versions: `tcpspan ${VERSION}, Deno ${Deno.version.deno}, libbpf ${libbpfVersion()}, ` +
      `tcplife of libbpf-tools ${await packageVersion("libbpf-tools")}`,
    load: `${Deno.loadavg().map((load) => load.toFixed(2)).join(" ")} at the start` +
      (bpfStatsEnabledElsewhere()
        ? "; kernel.bpf_stats_enabled is 1, which slows down all programs: set it to 0"
        : ""),
  };
}

async function packageVersion(name: string): Promise<string> {
  return (await run("dpkg-query", "--show", "--showformat=${Version}", name)).trim();
}
