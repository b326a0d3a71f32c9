/** What stays in the kernel while no tcpspan runs: a folder in a BPF file system. */
import { dirname, join } from "node:path";
import { listKernelFolder } from "../../ffi/kernel_file.ts";
import { SystemError } from "../../ffi/libc.ts";
import { Mapping } from "../../ffi/mapping.ts";
import {
  exists,
  isBpfFileSystem,
  lockFolder,
  lookUp,
  makeFolder,
  mapInfo,
  pin,
  Pinned,
  removeFolder,
  removePin,
  statusOf,
} from "../../ffi/pinned.ts";
import { RECORD_HEADER, Ring } from "../../ffi/ring.ts";
import { Walk } from "../../ffi/walk.ts";
import { HostError, UsageError } from "../errors.ts";
import { type BSS, STATE_ID } from "../record_layout.ts";
import { RecordTranslation } from "../record_translation.ts";
import { type KernelProgram, RELEASE, type SharedMaps, STATE_MAPS } from "./kernel_program.ts";

/** Where sessions are pinned unless the config says more. */
export const DEFAULT_PIN = "/sys/fs/bpf/tcpspan";

const OTHERS_WRITE = 0o022;
const STATE = /^[0-9a-f]{16}$/; // as STATE_ID
const RING = /^ring-(\d+)$/; // bytes
const LINK = /^([a-z_]+)-(\d+)$/; // program, generation

const LOSS_COUNTERS = [
  "lost_ring_full",
  "lost_storage_failed",
  "over_cap",
  "sampled_out",
  "skipped_runs",
] as const satisfies readonly (keyof typeof BSS)[];

/** Variables of `.bss` that count what is not delivered. */
export type LossCounter = typeof LOSS_COUNTERS[number];

/** A ring that no program writes to any more, and what its records have to become. */
export interface OldRing extends Disposable {
  readonly ring: Ring;
  /** Undefined for records of today's layout. */
  readonly translation: RecordTranslation | undefined;
  /** What was lost before, by names of BSS, where nobody else counts on. */
  readonly losses: ReadonlyMap<LossCounter, bigint>;
  /** Puts reports into it that wait for their sockets' close. @returns whether there were some */
  readonly release: () => boolean;
  /** Whether this was the last of it: then it is unpinned with its disposal. */
  done: boolean;
}

/**
 * `PATH/STATE/NAME`: maps by their names, rings with their sizes, links with their generations, in a
 * folder for each kind of state, so that programs find maps that they understand. Held by one process
 * at a time.
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
   * Makes the folder, or goes on with what is in it.
   * @throws {UsageError} if nothing can be pinned there, {HostError} if another process holds it
   */
  static open(path: string): Pin {
    const attempt = `cannot pin to ${path}`;
    try {
      if (!isBpfFileSystem(exists(path) ? path : dirname(path))) {
        throw new UsageError(
          `${attempt}: it is in no BPF file system: ` +
            `name a folder in one, or mount one: mount -t bpf bpf /sys/fs/bpf`,
        );
      }
      if (!exists(path)) makeFolder(path);
      requireSafe(path, attempt);
      using resources = new DisposableStack();
      resources.use(lock(path, attempt));
      for (const state of states(path)) prepare(join(path, state)); // before anything is attached
      return new Pin(path, resources.move());
    } catch (error) {
      if (error instanceof UsageError || error instanceof HostError) throw error;
      throw new UsageError(`${attempt}: ${reasonOf(error)}`);
    }
  }

  /**
   * The maps of an earlier run of the same kind of state; undefined if there are none.
   * @param ringSize bytes that the ring shall have
   */
  shared(ringSize: number): SharedMaps | undefined {
    if (!exists(this.#folder)) return undefined;
    const names = new Set(list(this.#folder));
    const maps = new Map(STATE_MAPS.map((map) => [map as string, this.#open(fileOf(map))]));
    const ring = `ring-${ringSize}`;
    if (names.has(ring)) maps.set("ring", this.#open(ring));
    return maps;
  }

  /** Takes away the links of programs that were never activated, or are no more. */
  removeLinks(active: bigint): void {
    for (const name of list(this.#folder)) {
      const generation = LINK.exec(name)?.[2];
      if (RING.test(name) || generation === undefined) continue;
      if (BigInt(generation) !== active) removePin(join(this.#folder, name));
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
    keep(program.mapFd("ring"), `ring-${program.ringSize}`);
    for (const map of STATE_MAPS) keep(program.mapFd(map), fileOf(map));
    for (const [name, fd] of links) keep(fd, `${name}-${program.generation}`);
  }

  /**
   * Detaches the programs of other kinds of state.
   * @returns the rings that are pinned and that `program` does not write to
   */
  retireOthers(program: KernelProgram): OldRing[] {
    const rings = list(this.#folder)
      .map((name) => Number(RING.exec(name)?.[1]))
      .filter((size) => size > 0 && size !== program.ringSize)
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

/** A ring from before its size was changed: programs, maps and counters went over to the new one. */
function ringOfSize(folder: string, size: number): OldRing {
  const path = join(folder, `ring-${size}`);
  const ring = openRing(path);
  return {
    ring,
    translation: undefined,
    losses: new Map(),
    release: () => false,
    done: false,
    [Symbol.dispose]() {
      ring[Symbol.dispose]();
      if (this.done) removePin(path);
    },
  };
}

/** Detaches the programs in the folder of another kind of state. @returns its rings */
function retireState(folder: string): OldRing[] {
  const { translation, variables } = describedIn(folder);
  using stack = new DisposableStack();
  const names = list(folder);
  const links = names.filter((name) => LINK.test(name) && !RING.test(name));
  const releaseLink = links.find((name) => name.startsWith(RELEASE));
  const bss = stack.use(new Variables(join(folder, fileOf(".bss")), variables));
  const release = releaseLink === undefined
    ? () => false
    : walker(stack.use(new Pinned(join(folder, releaseLink))).fd);
  bss.set("least_wait_ns", 1n); // they need not wait any longer, and may where the ring is full
  release();
  for (const name of links) if (name !== releaseLink) removePin(join(folder, name));
  const rings = names.filter((name) => RING.test(name));
  const shared = stack.move();
  return rings.map((name, i): OldRing => {
    const ring = openRing(join(folder, name));
    const isLast = i === rings.length - 1;
    return {
      ring,
      translation,
      losses: isLast
        ? new Map(LOSS_COUNTERS.map((counter) => [counter, bss.get(counter) ?? 0n]))
        : new Map(),
      release: isLast ? release : () => false,
      done: false,
      [Symbol.dispose]() {
        ring[Symbol.dispose]();
        if (!isLast) return;
        shared.dispose();
        if (this.done) remove(folder);
      },
    };
  });
}

/** Walks to the end with an iterator that writes a byte for each record. */
function walker(link: number): () => boolean {
  return () => {
    using walk = Walk.of(link);
    let found = false;
    while (walk.next(4096) > 0) found = true;
    return found;
  };
}

function openRing(path: string): Ring {
  using map = new Pinned(path);
  return new Ring(map.fd, mapInfo(map.fd).maxEntries);
}

/**
 * Removes the folder of a run that was ended before it had pinned all maps, or had removed them all.
 * @throws {HostError} if what is in it cannot be understood
 */
function prepare(folder: string): void {
  const names = list(folder);
  const isWhole = ["description", ...STATE_MAPS].every((map) => names.includes(fileOf(map)));
  if (isWhole) describedIn(folder);
  else remove(folder);
}

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
    const others = list(path).filter((name) => !STATE.test(name));
    if (others.length > 0) {
      throw new UsageError(
        `${attempt}: it holds what is not tcpspan's, such as ${others[0]}: name the folder of ` +
          "capture.pin",
      );
    }
    for (const state of states(path)) {
      const folder = join(path, state);
      for (const name of list(folder)) {
        if (RING.test(name)) unread += unreadRecords(folder, name);
        else if (LINK.test(name) && !name.startsWith(RELEASE)) programs++;
      }
      remove(folder);
    }
    removeFolder(path);
    return { programs, unread };
  } catch (error) {
    if (error instanceof UsageError || error instanceof HostError) throw error;
    throw new HostError(`${attempt}: ${reasonOf(error)}`);
  }
}

/** In a BPF file system anyone may make folders. @throws {UsageError} if others can touch this one */
function requireSafe(path: string, attempt: string): void {
  const { isFolder, owner, mode } = statusOf(path);
  const isSafe = isFolder && (owner === 0 || owner === Deno.uid()) && (mode & OTHERS_WRITE) === 0;
  if (isSafe) return;
  throw new UsageError(
    `${attempt}: it is no folder that only this user can write to: remove it, or name another`,
  );
}

/** Lets one process at a time have the folder, until it ends. @throws {HostError} */
function lock(path: string, attempt: string): Disposable {
  const held = lockFolder(path);
  if (held !== undefined) return held;
  throw new HostError(`${attempt}: another tcpspan uses it: stop that one first`);
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

/** How records and variables lie, as the program left word of it. @throws {HostError} */
function describedIn(folder: string): { translation: RecordTranslation; variables: string } {
  using map = new Pinned(join(folder, "description"));
  const value = new Uint8Array(mapInfo(map.fd).valueSize);
  lookUp(map.fd, new Uint8Array(4), value);
  const text = new TextDecoder().decode(value).replace(/\0.*$/s, "");
  const [records = "", variables = ""] = text.split("\n");
  const translation = RecordTranslation.of(records);
  if (translation === undefined) {
    throw new HostError(
      `cannot read what an earlier tcpspan left in ${folder}: its records are described in no ` +
        "known way; remove it: tcpspan unpin",
    );
  }
  return { translation, variables };
}

/** The variables of another version's program. */
class Variables implements Disposable {
  readonly #mapping: Mapping;
  readonly #layout: string;

  /** @param layout where they lie: `NAME:OFFSET:SIZE …` */
  constructor(path: string, layout: string) {
    using map = new Pinned(path);
    this.#mapping = new Mapping(map.fd, mapInfo(map.fd).valueSize, "read-write");
    this.#layout = layout;
  }

  /** Undefined where that version has no such one. */
  get(name: string): bigint | undefined {
    const offset = this.#offsetOf(name);
    return offset === undefined ? undefined : this.#view.getBigUint64(offset, true);
  }

  set(name: string, value: bigint): void {
    const offset = this.#offsetOf(name);
    if (offset !== undefined) this.#view.setBigUint64(offset, value, true);
  }

  get #view(): DataView {
    return new DataView(this.#mapping.buffer);
  }

  #offsetOf(name: string): number | undefined {
    const found = new RegExp(`(?:^| )${name}:(\\d+):8(?: |$)`).exec(this.#layout)?.[1];
    const offset = Number(found);
    return offset + 8 <= this.#mapping.length ? offset : undefined;
  }

  [Symbol.dispose](): void {
    this.#mapping[Symbol.dispose]();
  }
}

/** bpffs allows no dots in names. */
function fileOf(map: string): string {
  return map.replace(/^\./, "");
}

/** Names of the folders in which tcpspans have pinned something. */
function states(path: string): string[] {
  return list(path).filter((name) => STATE.test(name));
}

function list(folder: string): string[] {
  if (!exists(folder)) return [];
  return listKernelFolder(folder).map(({ name }) => name).filter((name) => !/^\.\.?$/.test(name));
}

/** With all that is in it. */
function remove(folder: string): void {
  for (const name of list(folder)) removePin(join(folder, name));
  if (exists(folder)) removeFolder(folder);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
