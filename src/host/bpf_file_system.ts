/** Whether `capture.pin` can keep something in the kernel. */
import { dirname } from "node:path";
import { exists, isBpfFileSystem, makeFolder, removeFolder } from "../../ffi/pinned.ts";
import { messageOf } from "../errors.ts";
import type { HostCheck } from "./check.ts";
import type { Mount } from "./mounts.ts";

const NAME = "BPF file system";
const MOUNT = "mount -t bpf bpf /sys/fs/bpf";

/** Where the config names no pin: a remark. */
export function checkBpfFileSystem(mounts: readonly Mount[] | undefined): HostCheck {
  const found = mounts?.find(({ type }) => type === "bpf")?.folder;
  return { name: NAME, result: "ok", found: found ?? "not mounted; capture.pin alone needs one" };
}

/** Makes a folder beside the pin's and removes it: what is pinned is left as it is. @param pin its folder */
export function checkPin(pin: string): HostCheck {
  const wrong = (found: string, advice: string): HostCheck => ({
    name: NAME,
    result: "no",
    found: `cannot pin to ${pin}: ${found}`,
    advice,
  });
  try {
    if (!isBpfFileSystem(exists(pin) ? pin : dirname(pin))) {
      return wrong("it is in no BPF file system", `name a folder in one, or mount one: ${MOUNT}`);
    }
    const beside = `${pin}-doctor-${Deno.pid}`;
    makeFolder(beside);
    removeFolder(beside);
    return { name: NAME, result: "ok", found: `can pin to ${pin}` };
  } catch (error) {
    return wrong(messageOf(error), `see who may write to ${dirname(pin)}, and where it is mounted`);
  }
}
