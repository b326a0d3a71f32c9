/** The CPU time of kernel programs: bpf(2), BPF_ENABLE_STATS. */
import { check, libc } from "../ffi/libc.ts";
import { readProc } from "../src/host/procfs.ts";

const BPF_STATS_RUN_TIME = 0;
const LIBBPF = {
  /** `int bpf_enable_stats(enum bpf_stats_type type)` */
  bpf_enable_stats: { parameters: ["i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/**
 * Makes the kernel time its programs until it is disposed of. Unlike `kernel.bpf_stats_enabled`,
 * its descriptor needs nobody to restore it: the kernel closes it, however this process ends.
 */
export function enableBpfStats(): Disposable {
  const library = Deno.dlopen("libbpf.so.1", LIBBPF);
  const fd = check(
    "cannot have kernel programs timed",
    library.symbols.bpf_enable_stats(BPF_STATS_RUN_TIME),
  );
  return { [Symbol.dispose]: () => void libc().close(fd) };
}

/** Whether programs are timed even without this process: its figures are then a little too high. */
export function bpfStatsEnabledElsewhere(): boolean {
  return readProc("sys/kernel/bpf_stats_enabled")?.trim() === "1";
}

/**
 * Nanoseconds, since loading, in the programs that a process has descriptors of.
 * Costs of a run outside of its program, such as the entry from the tracepoint, are not included.
 */
export function bpfRunTimeNs(pid: number): number {
  const times = new Map<string, number>(); // a program may have more than one descriptor
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fdinfo`)) {
    const text = readProc(`${pid}/fdinfo/${name}`) ?? "";
    const id = /^prog_id:\s+(\d+)/m.exec(text)?.[1];
    const time = /^run_time_ns:\s+(\d+)/m.exec(text)?.[1];
    if (id !== undefined && time !== undefined) times.set(id, Number(time));
  }
  return times.values().reduce((sum, time) => sum + time, 0);
}
