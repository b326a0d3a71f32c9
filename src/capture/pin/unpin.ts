/** Removes what a pin keeps in the kernel. */
import { join } from "node:path";
import { SystemError } from "../../../ffi/libc.ts";
import { exists, isBpfFileSystem, removeFolder } from "../../../ffi/pinned.ts";
import { RECORD_HEADER } from "../../../ffi/ring.ts";
import { HostError, messageOf, UsageError } from "../../messages/errors.ts";
import { openRing } from "./old_ring.ts";
import { describedIn, Variables } from "./description.ts";
import { detach, isState, list, lock, nameOfMap, remove, ringSizeOf, states } from "./folder.ts";

/** The folder if no other is named. */
export const DEFAULT_PIN = "/sys/fs/bpf/tcpspan";

/** What `unpin` found and removed. */
export interface Unpinned {
  /** Programs that were attached. */
  readonly programs: number;
  /** Records that were not read. */
  readonly unread: number;
  /** Sessions that the kernel lost since the programs were pinned, by place. */
  readonly losses: ReadonlyMap<keyof typeof LOSSES, number>;
}

/** Variables of `.bss` by the place whose losses they count. */
const LOSSES = {
  ring_full: "lost_ring_full",
  storage_failed: "lost_storage_failed",
  over_cap: "over_cap",
} as const;
const PLACES = Object.keys(LOSSES) as (keyof typeof LOSSES)[];

/**
 * Detaches and removes all that is pinned in `path`; undefined if nothing is.
 * @throws {HostError} if a process holds it, {UsageError} if it is not such a folder
 */
export function unpin(path: string): Unpinned | undefined {
  const attempt = `cannot unpin ${path}`;
  if (!exists(path)) return undefined;
  try {
    if (!isBpfFileSystem(path)) {
      throw new UsageError(
        `${attempt}: it is not in a BPF file system: name the folder of capture.pin`,
      );
    }
    using _lock = lock(path, attempt);
    let [programs, unread] = [0, 0];
    const losses = new Map(PLACES.map((place) => [place, 0]));
    const others = list(path).filter((name) => !isState(name));
    if (others.length > 0) {
      throw new UsageError(
        `${attempt}: it holds what is not tcpspan's, such as ${others[0]}: name the folder of ` +
          "capture.pin",
      );
    }
    for (const state of states(path)) {
      const folder = join(path, state);
      programs += detach(folder); // before anything is counted
      for (const place of PLACES) {
        losses.set(place, (losses.get(place) ?? 0) + lostSessions(folder, LOSSES[place]));
      }
      for (const name of list(folder)) {
        if (ringSizeOf(name) !== undefined) unread += unreadRecords(folder, name);
      }
      remove(folder);
    }
    removeFolder(path);
    return { programs, unread, losses };
  } catch (error) {
    if (error instanceof UsageError || error instanceof HostError) throw error;
    throw new HostError(`${attempt}: ${messageOf(error)}`);
  }
}

function unreadRecords(folder: string, name: string): number {
  return counted(() => {
    const { translation: { sourceSize } } = describedIn(folder);
    using ring = openRing(join(folder, name));
    return Math.ceil(ring.waiting / (sourceSize + RECORD_HEADER));
  });
}

function lostSessions(folder: string, variable: string): number {
  return counted(() => {
    using variables = new Variables(join(folder, nameOfMap(".bss")), describedIn(folder).variables);
    return Number(variables.get(variable) ?? 0n);
  });
}

/** 0 if what is pinned is incomplete, or its layout is unknown. */
function counted(count: () => number): number {
  try {
    return count();
  } catch (error) {
    if (error instanceof HostError || error instanceof SystemError) return 0;
    throw error;
  }
}
