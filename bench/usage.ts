/** What a process uses of the machine. */
import { check, libc } from "../ffi/libc.ts";
import { readProc } from "../src/host/procfs.ts";
import { bpfRunTimeNs } from "./bpf_stats.ts";

/** What a process has used so far. */
export interface Usage {
  /** CPU time of all threads, also of ended ones, user and system. */
  readonly cpuNs: number;
  /** CPU time of its kernel programs, on any CPU, if they were timed. */
  readonly kernelNs: number;
}

/** @throws if the process is gone */
export function usage(pid: number): Usage {
  return { cpuNs: cpuNs(pid), kernelNs: bpfRunTimeNs(pid) };
}

const CPUCLOCK_SCHED = 2; // include/linux/posix-timers.h: exact, unlike the ticks of /proc/PID/stat

/** The CPU time of a process, by the clock of clock_getcpuclockid(3). */
export function cpuNs(pid: number): number {
  const timespec = new BigInt64Array(2);
  const clock = (~pid << 3) | CPUCLOCK_SCHED;
  check(`cannot read the clock of process ${pid}`, libc().clock_gettime(clock, timespec));
  return Number(timespec[0] ?? 0n) * 1e9 + Number(timespec[1] ?? 0n);
}

/** Resident memory in MB. */
export function residentMb(pid: number): number {
  const text = readProc(`${pid}/status`) ?? "";
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1] ?? NaN) * 1024 / 1e6;
}

/** How often each thread has given up its CPU in order to wait. */
export type Waits = ReadonlyMap<string, number>;

/** Reads it for all living threads. */
export function waits(pid: number): Waits {
  return new Map(
    [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) => {
      const text = readProc(`${pid}/task/${name}/status`) ?? "";
      return [name, Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(text)?.[1] ?? 0)];
    }),
  );
}

/** How often threads waited in between, and so were woken up. */
export function wakeUps(before: Waits, after: Waits): number {
  return after.entries().reduce(
    (sum, [thread, count]) => sum + count - (before.get(thread) ?? 0),
    0,
  );
}
