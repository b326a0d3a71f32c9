/** What stays in the kernel while no tcpspan runs: a folder in a BPF file system. */
import { dirname, join } from "node:path";
import {
  exists,
  isBpfFileSystem,
  makeFolder,
  pin,
  Pinned,
  removeFolder,
  removePin,
  statusOf,
  tryPin,
} from "../../../ffi/pinned.ts";
import { HostError, messageOf, UsageError } from "../../messages/errors.ts";
import { STATE_ID } from "../../session/record_layout.ts";
import { type KernelProgram, type SharedMaps, STATE_MAPS } from "../kernel_program.ts";
import { type OldRing, retireState, ringOfSize } from "./old_ring.ts";
import { describedIn } from "./description.ts";
import {
  linkOf,
  list,
  lock,
  nameOfLink,
  nameOfMap,
  nameOfRing,
  remove,
  ringSizeOf,
  states,
} from "./folder.ts";

const OTHERS_WRITE = 0o022;
const PROBE = "probe"; // not the name of a state

/**
 * `PATH/STATE/NAME`: maps by their names, rings with their sizes, links with their generations, in
 * a folder for each kind of state, so that programs find maps that they understand. One process at
 * a time holds it.
 */
export class Pin implements Disposable {
  readonly #path: string;
  readonly #folder: string;
  readonly #resources: DisposableStack;

  private constructor(path: string, resources: DisposableStack) {
    this.#path = path;
    this.#folder = join(path, STATE_ID);
    this.#resources = resources;
  }

  /**
   * Makes the folder, or takes over what is in it.
   * @throws {UsageError} if nothing can be pinned there, {HostError} if another process holds it
   */
  static open(path: string): Pin {
    return attempting(path, (attempt) => {
      if (!requireBpfFileSystem(path, attempt)) makeFolder(path);
      requireSafe(path, attempt);
      using resources = new DisposableStack();
      resources.use(lock(path, attempt));
      for (const state of states(path)) prepare(join(path, state)); // before anything is attached
      return new Pin(path, resources.move());
    });
  }

  /**
   * Pins something for a try, and leaves everything as it was.
   * @throws {UsageError} and {HostError} as `open`, {SystemError} if the kernel refuses to pin: a
   * run can do without
   */
  static probe(path: string): void {
    using stack = new DisposableStack();
    attempting(path, (attempt) => {
      if (!requireBpfFileSystem(path, attempt)) {
        makeFolder(path);
        stack.defer(() => removeFolder(path));
      }
      requireSafe(path, attempt);
      stack.use(lock(path, attempt));
    });
    tryPin(join(path, PROBE));
  }

  /**
   * The maps of an earlier run of the same kind of state; undefined if there are none.
   * @param ringSize bytes that the ring must have
   */
  shared(ringSize: number): SharedMaps | undefined {
    if (!exists(this.#folder)) return undefined;
    const names = new Set(list(this.#folder));
    const maps = new Map(STATE_MAPS.map((map) => [map as string, this.#open(nameOfMap(map))]));
    const ring = nameOfRing(ringSize);
    if (names.has(ring)) maps.set("ring", this.#open(ring));
    return maps;
  }

  /** Removes the links of programs that were never activated, or are no longer active. */
  removeLinks(active: bigint): void {
    for (const name of list(this.#folder)) {
      const link = linkOf(name);
      if (link !== undefined && link.generation !== active) removePin(join(this.#folder, name));
    }
  }

  /** Pins a program that stands by, with its maps. @param links descriptors, by program */
  keep(program: KernelProgram, links: ReadonlyMap<string, number>): void {
    if (!exists(this.#folder)) makeFolder(this.#folder);
    const there = new Set(list(this.#folder));
    const keep = (fd: number, name: string) => {
      if (!there.has(name)) pin(fd, join(this.#folder, name));
    };
    keep(program.mapFd("description"), "description");
    keep(program.mapFd("ring"), nameOfRing(program.ringSize));
    for (const map of STATE_MAPS) keep(program.mapFd(map), nameOfMap(map));
    for (const [name, fd] of links) keep(fd, nameOfLink(name, program.generation));
  }

  /** Whether nothing is pinned in it. */
  get isEmpty(): boolean {
    return states(this.#path).length === 0;
  }

  /** Removes what is pinned of this kind of state. Programs and maps stay while they are open. */
  abandon(): void {
    remove(this.#folder);
  }

  /**
   * Detaches the programs of other kinds of state.
   * @returns the rings that are pinned and that `program` does not write to
   */
  retireOthers(program: KernelProgram): OldRing[] {
    const rings = list(this.#folder)
      .map((name) => ringSizeOf(name) ?? program.ringSize)
      .filter((size) => size !== program.ringSize)
      .map((size) => ringOfSize(this.#folder, size));
    for (const state of states(this.#path)) {
      if (state !== STATE_ID) rings.push(...retireState(join(this.#path, state)));
    }
    return rings;
  }

  [Symbol.dispose](): void {
    this.#resources.dispose();
  }

  #open(name: string): number {
    return this.#resources.use(new Pinned(join(this.#folder, name))).fd;
  }
}

/**
 * Removes the folder of a run that ended before it had pinned all maps, or had removed them all.
 * @throws {HostError} if what is in it cannot be understood
 */
function prepare(folder: string): void {
  const names = list(folder);
  const isWhole = ["description", ...STATE_MAPS].every((map) => names.includes(nameOfMap(map)));
  if (isWhole) describedIn(folder);
  else remove(folder);
}

/** Makes a failure to open a pin an error for the user. @throws {UsageError}, {HostError} */
function attempting<Result>(path: string, act: (attempt: string) => Result): Result {
  const attempt = `cannot pin to ${path}`;
  try {
    return act(attempt);
  } catch (error) {
    if (error instanceof UsageError || error instanceof HostError) throw error;
    throw new UsageError(`${attempt}: ${messageOf(error)}`);
  }
}

/**
 * @returns whether `path` itself is there. @throws {UsageError} if it is not in a BPF file system
 */
function requireBpfFileSystem(path: string, attempt: string): boolean {
  const isThere = exists(path);
  if (isBpfFileSystem(isThere ? path : dirname(path))) return isThere;
  throw new UsageError(
    `${attempt}: it is not in a BPF file system: ` +
      `name a folder in one, or mount one: mount -t bpf bpf /sys/fs/bpf`,
  );
}

/**
 * Anyone may make folders in a BPF file system. @throws {UsageError} if others can touch this one
 */
function requireSafe(path: string, attempt: string): void {
  const { isFolder, owner, mode } = statusOf(path);
  const isSafe = isFolder && (owner === 0 || owner === Deno.uid()) && (mode & OTHERS_WRITE) === 0;
  if (isSafe) return;
  throw new UsageError(
    `${attempt}: it is not a folder that only this user can write to: remove it, or name another`,
  );
}
