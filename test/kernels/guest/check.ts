/** One thing that has to be right on every kernel. */

/** What a check needs of a host, and not every guest has. */
export type Need = "cgroup v2" | "IPv6";

/** A check; it fails by throwing. */
export interface Check {
  readonly name: string;
  readonly needs?: Need;
  run(): Promise<void>;
}

/** What this guest lacks of it; undefined if nothing. */
export async function lacking({ needs }: Check): Promise<Need | undefined> {
  if (needs === undefined) return undefined;
  const path = needs === "cgroup v2" ? "/sys/fs/cgroup/cgroup.procs" : "/proc/net/if_inet6";
  try {
    await Deno.stat(path);
    return undefined;
  } catch {
    return needs;
  }
}
