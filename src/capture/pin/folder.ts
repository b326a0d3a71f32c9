/** What lies in a pin, and under which names: `PATH/STATE/NAME`. */
import { join } from "node:path";
import { listKernelFolder } from "../../../ffi/kernel_file.ts";
import { exists, lockFolder, removeFolder, removePin } from "../../../ffi/pinned.ts";
import { HostError } from "../../messages/errors.ts";

const STATE = /^[0-9a-f]{16}$/; // as STATE_ID
const RING = /^ring-(\d+)$/;
const LINK = /^([a-z_]+)-(\d+)$/;
/** The iterator with which tcpspan 0.1 delivers reports that wait for their sockets' close. */
export const RELEASE = "release_waiting";

/** Names of the folders in which any tcpspan has pinned something, one for each kind of state. */
export function states(path: string): string[] {
  return list(path).filter(isState);
}

/** Whether a folder's name is that of a kind of state. */
export function isState(name: string): boolean {
  return STATE.test(name);
}

/** The name under which a map is pinned: bpffs allows no dots. */
export function nameOfMap(map: string): string {
  return map.replace(/^\./, "");
}

/** Bytes of the ring that is pinned under `name`; undefined if it is not a ring. */
export function ringSizeOf(name: string): number | undefined {
  const [, size] = RING.exec(name) ?? [];
  return size === undefined ? undefined : Number(size);
}

/** @param size bytes */
export function nameOfRing(size: number): string {
  return `ring-${size}`;
}

/** The program whose link is pinned under `name`; undefined if it is not a link. */
export function linkOf(
  name: string,
): { readonly program: string; readonly generation: bigint } | undefined {
  const [, program, generation] = LINK.exec(name) ?? [];
  if (program === undefined || generation === undefined || RING.test(name)) return undefined;
  return { program, generation: BigInt(generation) };
}

/** The name of the link of a program of one generation. */
export function nameOfLink(program: string, generation: bigint): string {
  return `${program}-${generation}`;
}

/** Names of what is in `folder`; none if there is no such folder. */
export function list(folder: string): string[] {
  if (!exists(folder)) return [];
  return listKernelFolder(folder).map(({ name }) => name).filter((name) => !/^\.\.?$/.test(name));
}

/**
 * Detaches the programs that are pinned in `folder`: their counters no longer change.
 * @returns how many there were
 */
export function detach(folder: string): number {
  const links = list(folder).filter((name) => {
    const program = linkOf(name)?.program;
    return program !== undefined && program !== RELEASE;
  });
  for (const name of links) removePin(join(folder, name));
  return links.length;
}

/** Removes a folder with all that is pinned in it. */
export function remove(folder: string): void {
  for (const name of list(folder)) removePin(join(folder, name));
  if (exists(folder)) removeFolder(folder);
}

/** Gives the folder to one process at a time, until it ends. @throws {HostError} */
export function lock(path: string, attempt: string): Disposable {
  const held = lockFolder(path);
  if (held !== undefined) return held;
  throw new HostError(`${attempt}: another tcpspan uses it: stop that one first`);
}
