/** Whether cgroups (v2) can be looked up by their ids. */
import type { HostCheck } from "./check.ts";
import type { Mount } from "./mounts.ts";

/** @param mounts undefined without /proc */
export function checkCgroup2(mounts: readonly Mount[] | undefined): HostCheck {
  const name = "cgroup v2";
  const found = mounts?.find(({ type }) => type === "cgroup2")?.folder;
  if (found !== undefined) return { name, result: "ok", found };
  return {
    name,
    result: "without",
    found: mounts === undefined ? "unknown: no /proc/self/mountinfo" : "not mounted",
    advice: "spans of processes that have ended lack container.id, the pod and the systemd unit; " +
      "to mount it: mount -t cgroup2 none /sys/fs/cgroup",
  };
}
