/** Where something could be kept in the kernel. */
import type { HostCheck } from "./check.ts";
import type { Mount } from "./mounts.ts";

/** A remark, for those who pin nothing. @param mounts undefined without /proc */
export function checkBpfFileSystem(mounts: readonly Mount[] | undefined): HostCheck {
  const found = mounts?.find(({ type }) => type === "bpf")?.folder;
  return {
    name: "BPF file system",
    result: "ok",
    found: found ?? "not mounted; capture.pin alone needs one",
  };
}
