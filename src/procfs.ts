/** What /proc tells of a process that may be gone at any moment: undefined where it tells nothing. */

/** Clock ticks a second in /proc, on every architecture of Linux that runs Deno. */
const USER_HZ = 100n;

/** A text file of /proc. */
export function readProc(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(`/proc/${path}`);
  } catch {
    return undefined;
  }
}

/** Target of a link of /proc. */
export function readProcLink(path: string): string | undefined {
  try {
    return Deno.readLinkSync(`/proc/${path}`);
  } catch {
    return undefined;
  }
}

/** Inode of a namespace of process `pid`, or `self`; 0 if nobody tells. */
export function namespaceOf(pid: string, kind: "net" | "pid"): number {
  return Number(/\d+/.exec(readProcLink(`${pid}/ns/${kind}`) ?? "")?.[0] ?? 0);
}

/** Tells this boot of the host from all others: 16 bytes in hex. Zeros if nobody tells. */
export function bootId(): string {
  const id = readProc("sys/kernel/random/boot_id")?.replaceAll(/[^0-9a-f]/g, "") ?? "";
  return id.length === 32 ? id : "0".repeat(32);
}

/**
 * Whether `pid` is still the process that started at `startBootNs` (nanoseconds of the boot clock),
 * and not another that got its number.
 */
export function isSameProcess(pid: number, startBootNs: bigint): boolean {
  const stat = readProc(`${pid}/stat`);
  if (stat === undefined) return false;
  // proc_pid_stat(5): the name, field 2, may hold spaces and parentheses; starttime is field 22
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[19] === String(startBootNs / (1_000_000_000n / USER_HZ));
}

/** One variable of a process's environment. */
export function readProcEnv(pid: number, name: string): string | undefined {
  const entry = readProc(`${pid}/environ`)?.split("\0").find((text) => text.startsWith(`${name}=`));
  return entry?.slice(name.length + 1) || undefined;
}
