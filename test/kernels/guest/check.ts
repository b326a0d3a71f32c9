/** Things that must be right on every kernel. */

/** What a check needs, and not every guest has. */
export type Need = "cgroup v2" | "IPv6";

/** A check; it fails by throwing. */
export interface Check {
  readonly name: string;
  readonly needs?: Need;
  run(): Promise<void>;
}

/** What this guest lacks for a check; undefined if nothing. */
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
