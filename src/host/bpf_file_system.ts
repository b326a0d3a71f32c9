/** Whether a BPF file system is mounted. */
import type { HostCheck } from "./check.ts";
import type { Mount } from "./mounts.ts";

/** Never refuses: only `capture.pin` needs one. @param mounts undefined without /proc */
export function checkBpfFileSystem(mounts: readonly Mount[] | undefined): HostCheck {
  const found = mounts?.find(({ type }) => type === "bpf")?.folder;
  return {
    name: "BPF file system",
    result: "ok",
    found: found ?? "not mounted; only capture.pin needs one",
  };
}
