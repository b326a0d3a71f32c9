/** Takes away what a pin keeps in the kernel. */
import { join } from "node:path";
import { SystemError } from "../../ffi/libc.ts";
import { exists, isBpfFileSystem, removeFolder } from "../../ffi/pinned.ts";
import { RECORD_HEADER } from "../../ffi/ring.ts";
import { HostError, messageOf, UsageError } from "../errors.ts";
import { RELEASE } from "./kernel_program.ts";
import { openRing } from "./old_ring.ts";
import { describedIn } from "./pin_description.ts";
import { isState, linkOf, list, lock, remove, ringSizeOf, states } from "./pin_folder.ts";

/** Where it looks unless it is told more. */
export const DEFAULT_PIN = "/sys/fs/bpf/tcpspan";

/** What `unpin` found and removed. */
export interface Unpinned {
  /** Programs that were attached. */
  readonly programs: number;
  /** Records that nobody had read. */
  readonly unread: number;
}

/**
 * Detaches and removes all that is pinned in `path`; undefined if nothing is.
 * @throws {HostError} if a process holds it, {UsageError} if it is no such folder
 */
export function unpin(path: string): Unpinned | undefined {
  const attempt = `cannot unpin ${path}`;
  if (!exists(path)) return undefined;
  try {
    if (!isBpfFileSystem(path)) {
      throw new UsageError(
        `${attempt}: it is in no BPF file system: name a folder that is pinned to`,
      );
    }
    using _lock = lock(path, attempt);
    let [programs, unread] = [0, 0];
    const others = list(path).filter((name) => !isState(name));
    if (others.length > 0) {
      throw new UsageError(
        `${attempt}: it holds what is not tcpspan's, such as ${others[0]}: name the folder of ` +
          "capture.pin",
      );
    }
    for (const state of states(path)) {
      const folder = join(path, state);
      for (const name of list(folder)) {
        if (ringSizeOf(name) !== undefined) unread += unreadRecords(folder, name);
        const link = linkOf(name);
        if (link !== undefined && link.program !== RELEASE) programs++;
      }
      remove(folder);
    }
    removeFolder(path);
    return { programs, unread };
  } catch (error) {
    if (error instanceof UsageError || error instanceof HostError) throw error;
    throw new HostError(`${attempt}: ${messageOf(error)}`);
  }
}

/** 0 where nothing tells how long they are. */
function unreadRecords(folder: string, name: string): number {
  try {
    const { translation: { sourceSize } } = describedIn(folder);
    using ring = openRing(join(folder, name));
    return Math.ceil(ring.waiting / (sourceSize + RECORD_HEADER));
  } catch (error) {
    if (error instanceof HostError || error instanceof SystemError) return 0;
    throw error;
  }
}
