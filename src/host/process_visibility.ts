/** Which processes /proc shows to this one: proc(5), `hidepid` and `subset`. */
import type { HostCheck } from "./check.ts";
import type { Mount } from "./mounts.ts";

/** What is lost. */
export const WITHOUT_PROC =
  "sessions have no process id, and spans lack the executable's path, container, pod and systemd " +
  "unit; to mount it: mount -t proc proc /proc";

const OPEN = ["off", "0"]; // values of hidepid

/**
 * @param mounts undefined without /proc
 * @param mayTrace whether this process has CAP_SYS_PTRACE, which sees all
 */
export function checkProcessVisibility(
  mounts: readonly Mount[] | undefined,
  mayTrace: boolean,
): HostCheck {
  const name = "/proc";
  if (mounts === undefined) {
    return {
      name,
      result: "without",
      found: "not mounted",
      advice: WITHOUT_PROC,
    };
  }
  const options = mounts.findLast(({ folder }) => folder === "/proc")?.options ?? [];
  const hidden = options.map((option) => /^hidepid=(.*)$/.exec(option)?.[1])
    .find((value) => value !== undefined && !OPEN.includes(value));
  if (hidden !== undefined && !mayTrace) {
    return {
      name,
      result: "without",
      found: `mounted with hidepid=${hidden}`,
      advice: "spans of other users' processes lack their executable's path, container, pod and " +
        "systemd unit; CAP_SYS_PTRACE sees them",
    };
  }
  if (options.includes("subset=pid")) {
    return {
      name,
      result: "without",
      found: "mounted with subset=pid, which hides /proc/sys",
      advice:
        "the ports of clients are taken to be 32768 to 60999, and a queue on disk does not notice " +
        "that the host was started again: mount /proc without subset=pid",
    };
  }
  return { name, result: "ok", found: "shows all processes" };
}
