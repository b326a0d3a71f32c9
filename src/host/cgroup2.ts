/** Whether cgroups (v2) can be looked up by their ids. */
import type { HostCheck } from "./check.ts";
import type { Mount } from "./mounts.ts";

/**
 * @param mounts undefined without /proc
 * @param wanted whether the config excludes cgroups, which a run then cannot
 */
export function checkCgroup2(mounts: readonly Mount[] | undefined, wanted: boolean): HostCheck {
  const name = "cgroup v2";
  const found = mounts?.find(({ type }) => type === "cgroup2")?.folder;
  if (found !== undefined) return { name, result: "ok", found };
  const mount = "mount -t cgroup2 none /sys/fs/cgroup";
  return wanted
    ? {
      name,
      result: "no",
      found: "not mounted, and capture.exclude_cgroups needs it",
      advice: `mount it: ${mount}`,
    }
    : {
      name,
      result: "without",
      found: mounts === undefined ? "not told: no /proc/self/mountinfo" : "not mounted",
      advice:
        "spans of processes that have ended lack container.id, the pod and the systemd unit; " +
        `to mount it: ${mount}`,
    };
}
