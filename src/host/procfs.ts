/** What /proc shows of a process that may end at any moment: undefined if it shows nothing. */

import { timeNamespaceOffsetNs } from "../../ffi/clock.ts";
import { listKernelFolder, readKernelFile, readKernelLink } from "../../ffi/kernel_file.ts";

/** Bytes of an environment that are read: a process may have some MB. */
const MOST_ENVIRON = 256 * 1024;

/** Clock ticks a second in /proc, on every architecture of Linux that runs Deno. */
const USER_HZ = 100n;

/** A text file of /proc. @param most bytes that are read, more or less */
export function readProc(path: string, most?: number): string | undefined {
  try {
    return readKernelFile(`/proc/${path}`, most);
  } catch {
    return undefined;
  }
}

/** Target of a link of /proc. */
export function readProcLink(path: string): string | undefined {
  try {
    return readKernelLink(`/proc/${path}`);
  } catch {
    return undefined;
  }
}

/** Inode of a namespace of process `pid`, or `self`; 0 if unknown. */
export function namespaceOf(pid: string, kind: "net" | "pid"): number {
  return Number(/\d+/.exec(readProcLink(`${pid}/ns/${kind}`) ?? "")?.[0] ?? 0);
}

/** Identifies this boot of the host: 16 bytes in hex, zeros if unknown. */
export function bootId(): string {
  const id = readProc("sys/kernel/random/boot_id")?.replaceAll(/[^0-9a-f]/g, "") ?? "";
  return id.length === 32 ? id : "0".repeat(32);
}

/**
 * Whether `pid` is still the process that started at `startBootNs` (nanoseconds of the host's boot
 * clock), and not another that got its number.
 */
export function isSameProcess(pid: number, startBootNs: bigint): boolean {
  const stat = readProc(`${pid}/stat`);
  if (stat === undefined) return false;
  const shownNs = startBootNs + timeNamespaceOffsetNs(); // /proc shows times as the reader's clocks do
  return parseStartTime(stat) === String(shownNs / (1_000_000_000n / USER_HZ));
}

/** The clock tick of the start in a `/proc/PID/stat`: proc_pid_stat(5), field 22. */
export function parseStartTime(stat: string): string | undefined {
  // the name, field 2, may hold spaces and parentheses
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

/**
 * The folder below /proc that shows a process's program: `PID`, or if its main thread has ended,
 * and so shows none, `PID/task/TID` of a thread that goes on.
 */
export function programFolder(pid: number): string {
  const folder = `${pid}`;
  if (readProcLink(`${folder}/exe`) !== undefined || !hasEnded(folder)) return folder;
  return threadsOf(pid).find((thread) => !hasEnded(thread)) ?? folder;
}

function threadsOf(pid: number): readonly string[] {
  try {
    return listKernelFolder(`/proc/${pid}/task`).filter(({ name }) => /^\d+$/.test(name))
      .map(({ name }) => `${pid}/task/${name}`);
  } catch {
    return [];
  }
}

/** Whether a thread is a zombie or dead, or not there: proc_pid_stat(5), field 3. */
function hasEnded(folder: string): boolean {
  const stat = readProc(`${folder}/stat`) ?? "";
  return /^[ZXx]?$/.test(stat.charAt(stat.lastIndexOf(")") + 2));
}

/** One variable of a process's environment. @param folder below /proc */
export function readProcEnv(folder: string, name: string): string | undefined {
  return parseEnviron(readProc(`${folder}/environ`, MOST_ENVIRON) ?? "", name);
}

/** One variable of a `/proc/PID/environ`; an empty one counts as unset. */
export function parseEnviron(text: string, name: string): string | undefined {
  const entry = text.split("\0").find((text) => text.startsWith(`${name}=`));
  return entry?.slice(name.length + 1) || undefined;
}
