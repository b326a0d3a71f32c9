/** Whether a run could pin where the config says. */
import { dirname } from "node:path";
import { exists, isBpfFileSystem, lockFolder, makeFolder, removeFolder } from "../../ffi/pinned.ts";
import { requireSafe } from "../capture/pin.ts";
import { messageOf, UsageError } from "../errors.ts";
import type { HostCheck } from "../host/check.ts";

/** Makes a folder beside `path` and removes it: what is pinned is left as it is. */
export function tryPin(path: string): HostCheck {
  const name = "BPF file system";
  const attempt = `cannot pin to ${path}`;
  const no = (found: string, advice: string): HostCheck => ({ name, result: "no", found, advice });
  try {
    const isThere = exists(path);
    if (!isBpfFileSystem(isThere ? path : dirname(path))) {
      return no(
        `${attempt}: it is in no BPF file system`,
        "name a folder in one, or mount one: mount -t bpf bpf /sys/fs/bpf",
      );
    }
    if (isThere) {
      requireSafe(path, attempt);
      using free = lockFolder(path);
      if (free === undefined) {
        return no(`${attempt}: another tcpspan uses it`, "stop that one first");
      }
    }
    const beside = `${path}-doctor-${Deno.pid}`;
    makeFolder(beside);
    removeFolder(beside);
    return { name, result: "ok", found: `can pin to ${path}` };
  } catch (error) {
    if (error instanceof UsageError) return { name, result: "no", found: error.message };
    return no(`${attempt}: ${messageOf(error)}`, `see who may make folders in ${dirname(path)}`);
  }
}
