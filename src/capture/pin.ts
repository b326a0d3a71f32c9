/** What stays in the kernel while no tcpspan runs: a folder in a BPF file system. */
import { basename, dirname, join } from "node:path";
import { SystemError } from "../../ffi/libc.ts";
import { Mapping } from "../../ffi/mapping.ts";
import { isBpfFileSystem, lookUp, mapInfo, pin, Pinned } from "../../ffi/pinned.ts";
import { Ring } from "../../ffi/ring.ts";
import { HostError, UsageError } from "../errors.ts";
import { type BSS, STATE_ID } from "../record_layout.ts";
import { RecordTranslation } from "../record_translation.ts";
import { type KernelProgram, type SharedMaps, STATE_MAPS } from "./kernel_program.ts";

/** Where sessions are pinned unless the config says more. */
export const DEFAULT_PIN = "/sys/fs/bpf/tcpspan";

const RING = /^ring-(\d+)$/; // bytes
const LINK = /^([a-z_]+)-(\d+)$/; // program, generation
const RECORD_HEADER = 8; // bytes in front of a record in the ring

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
  readonly translation: RecordTranslation;
  /** What was lost before, by names of BSS, where nobody else counts on. */
  readonly losses: ReadonlyMap<LossCounter, bigint>;
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
      if (!exists(path)) Deno.mkdirSync(path, { mode: 0o700 });
      using resources = new DisposableStack();
      resources.use(lock(path, attempt));
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
    const names = new Set(list(this.#folder));
    if (!STATE_MAPS.every((map) => names.has(fileOf(map)))) {
      remove(this.#folder); // of a run that was ended before it had pinned all
      return undefined;
    }
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
      if (BigInt(generation) !== active) Deno.removeSync(join(this.#folder, name));
    }
  }

  /** Pins a program that stands by, with its maps. @param links descriptors, by program */
  keep(program: KernelProgram, links: ReadonlyMap<string, number>): void {
    if (!exists(this.#folder)) Deno.mkdirSync(this.#folder, { mode: 0o700 });
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
    const rings: OldRing[] = [];
    for (const state of list(this.#path)) {
      const folder = join(this.#path, state);
      for (const name of list(folder)) {
        if (state !== STATE_ID && LINK.test(name) && !RING.test(name)) {
          Deno.removeSync(join(folder, name));
        }
      }
      for (const name of list(folder)) {
        const size = Number(RING.exec(name)?.[1]);
        const isCurrent = state === STATE_ID && size === program.ringSize;
        if (size > 0 && !isCurrent) rings.push(this.#oldRing(folder, name, size));
      }
    }
    return rings;
  }

  [Symbol.dispose](): void {
    this.#resources.dispose();
  }

  #oldRing(folder: string, name: string, size: number): OldRing {
    using map = new Pinned(join(folder, name));
    const isOther = basename(folder) !== STATE_ID;
    const [records = "", variables = ""] = readDescription(folder);
    const translation = RecordTranslation.of(records);
    if (translation === undefined) {
      throw new HostError(
        `cannot read the ring of an earlier tcpspan in ${folder}: it is described in no known way; ` +
          "remove it with: tcpspan unpin",
      );
    }
    const ring = new Ring(map.fd, size);
    return {
      ring,
      translation,
      losses: isOther ? readLosses(folder, variables) : new Map(),
      done: false,
      [Symbol.dispose]() {
        ring[Symbol.dispose]();
        if (!this.done) return;
        if (isOther) remove(folder);
        else Deno.removeSync(join(folder, name));
      },
    };
  }

  #open(name: string): number {
    return this.#resources.use(new Pinned(join(this.#folder, name))).fd;
  }
}

/** What `unpin` found and removed. */
export interface Unpinned {
  /** Links that were detached. */
  readonly links: number;
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
    let [links, unread] = [0, 0];
    for (const state of list(path)) {
      const folder = join(path, state);
      for (const name of list(folder)) {
        if (RING.test(name)) unread += unreadRecords(folder, name);
        else if (LINK.test(name)) links++;
      }
      remove(folder);
    }
    Deno.removeSync(path);
    return { links, unread };
  } catch (error) {
    if (error instanceof UsageError || error instanceof HostError) throw error;
    throw new HostError(`${attempt}: ${reasonOf(error)}`);
  }
}

/** Lets one process at a time have the folder, until it ends. @throws {HostError} */
function lock(path: string, attempt: string): Disposable {
  const folder = Deno.openSync(path);
  if (folder.tryLockSync(true)) return folder;
  folder.close();
  throw new HostError(
    `${attempt}: another tcpspan uses it: stop that one first`,
  );
}

function unreadRecords(folder: string, name: string): number {
  using map = new Pinned(join(folder, name));
  using ring = new Ring(map.fd, mapInfo(map.fd).maxEntries);
  const size = RecordTranslation.of(readDescription(folder)[0] ?? "")?.sourceSize;
  return size === undefined ? 0 : Math.ceil(ring.waiting / (size + RECORD_HEADER));
}

/** The lines that a program left: the layout of its records, and of its variables. */
function readDescription(folder: string): string[] {
  using map = new Pinned(join(folder, "description"));
  const value = new Uint8Array(mapInfo(map.fd).valueSize);
  lookUp(map.fd, new Uint8Array(4), value);
  return new TextDecoder().decode(value).replace(/\0.*$/s, "").split("\n");
}

/** @param variables where they lie in `.bss`: `NAME:OFFSET:SIZE …` */
function readLosses(folder: string, variables: string): Map<LossCounter, bigint> {
  using map = new Pinned(join(folder, fileOf(".bss")));
  const { valueSize } = mapInfo(map.fd);
  using bss = new Mapping(map.fd, valueSize, "read");
  const view = new DataView(bss.buffer);
  const losses = new Map<LossCounter, bigint>();
  for (const counter of LOSS_COUNTERS) {
    const offset = Number(new RegExp(`(?:^| )${counter}:(\\d+):8(?: |$)`).exec(variables)?.[1]);
    if (offset + 8 <= valueSize) losses.set(counter, view.getBigUint64(offset, true));
  }
  return losses;
}

/** bpffs allows no dots in names. */
function fileOf(map: string): string {
  return map.replace(/^\./, "");
}

function list(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function remove(folder: string): void {
  if (exists(folder)) Deno.removeSync(folder, { recursive: true });
}

function reasonOf(error: unknown): string {
  if (error instanceof SystemError) return error.message;
  if (error instanceof Deno.errors.NotFound) return "no such folder";
  return error instanceof Error ? error.message.replace(/ \(os error \d+\).*$/s, "") : `${error}`;
}
