/** The kernel program of one generation: loaded, attached, and what it counts. */
import { BpfObject } from "../../ffi/bpf_object.ts";
import { bootTimeNs } from "../../ffi/clock.ts";
import { SystemError } from "../../ffi/libc.ts";
import { Mapping } from "../../ffi/mapping.ts";
import { inNetworkNamespace } from "../../ffi/network_namespace.ts";
import type { Walk } from "../../ffi/walk.ts";
import { HOOKS, presentHooks } from "../host.ts";
import { networkNamespaces } from "../network_namespaces.ts";
import { namespaceOf } from "../procfs.ts";
import { BSS, BSS_DESCRIPTION, LIMIT, RECORD_DESCRIPTION } from "../record_layout.ts";
import type { CaptureOptions } from "./capture_options.ts";
import type { ExcludedCgroups } from "./excluded_cgroups.ts";
import { excludeCgroups, type KernelSettings } from "./kernel_settings.ts";

/** Maps in which programs of one generation leave to the next what they know of sockets. */
export const STATE_MAPS = ["sockets", "waiting", "own_sessions", ".bss"] as const;

/** The iterator that hands over the reports that wait for their sockets' close. */
export const RELEASE = "release_waiting";

/** Descriptors of maps by name: those of STATE_MAPS, and `ring` where it has the right size. */
export type SharedMaps = ReadonlyMap<string, number>;

/** What it is loaded with. */
export interface KernelProgramOptions {
  readonly elf: Uint8Array<ArrayBuffer>;
  readonly settings: KernelSettings;
  readonly capture: CaptureOptions;
  /** Of the generation before; undefined for the first. */
  readonly shared: SharedMaps | undefined;
}

/**
 * Programs of two generations can be attached at once: one is active, which a number in the maps that
 * they share tells, and the other stands by. So another one takes over without a gap, with all that
 * is known of open sockets.
 */
export class KernelProgram implements Disposable {
  /** Counts from 1; the active one's is in `.bss`. */
  readonly generation: bigint;
  readonly excludedCgroups: ExcludedCgroups;
  readonly #resources: DisposableStack;
  readonly #object: BpfObject;
  readonly #releaseLink: number;
  #variables: DataView;
  readonly #skippedBefore: number;

  /** Loads it. @throws {LibbpfError}, {SystemError} or {HostError} */
  constructor({ elf, settings, capture, shared }: KernelProgramOptions) {
    using resources = new DisposableStack();
    const object = this.#object = resources.use(new BpfObject(elf));
    this.generation = shared === undefined ? 1n : activeGeneration(shared) + 1n;
    settings.writeBeforeLoad(object, this.generation);
    for (const [map, fd] of shared ?? []) object.reuseMap(map, fd);
    for (const hook of HOOKS) if (!presentHooks().includes(hook)) object.disable(hook.program);
    const reportsOpen = capture.interim !== undefined || capture.reportOpenOnExit === true;
    if (!reportsOpen) object.disable("report_open");
    object.load();
    settings.writeAfterLoad(object);
    describe(object);
    this.excludedCgroups = excludeCgroups(object, capture.excludeCgroups ?? []);
    const variables = resources.use(new Mapping(object.mapFd(".bss"), BSS.size, "read-write"));
    this.#variables = new DataView(variables.buffer);
    this.#skippedBefore = Number(this.get(BSS.skipped_runs));
    this.#releaseLink = object.attachIterator(RELEASE, "waiting");
    object.attachIterator("count_open", "sockets");
    if (reportsOpen) object.attachIterator("report_open", "sockets");
    this.#resources = resources.move();
  }

  /**
   * Attaches it, standing by.
   * @returns descriptors of the links, by program; with them that of the iterator that hands over what
   * waits, for who comes after this one
   */
  attach(): Map<string, number> {
    const links = presentHooks().map(({ program }): [string, number] => [
      program,
      this.#object.attach(program),
    ]);
    return new Map([...links, [RELEASE, this.#releaseLink]]);
  }

  /** Makes it the active one. */
  activate(): void {
    if (this.get(BSS.tracing_since_ns) === 0n) this.set(BSS.tracing_since_ns, bootTimeNs());
    this.set(BSS.active_generation, this.generation);
  }

  /** Tells it what was open before the first generation: sockets' owners, and who opened them. */
  seed(): void {
    const object = this.#object;
    object.attachIterator("seed_owner");
    using owners = object.walk("seed_owner");
    owners.next(1); // to the end, as it writes nothing
    object.attachIterator("seed_role");
    using own = object.walk("seed_role");
    own.next(1);
    const ownInode = namespaceOf("self", "net");
    for (const { inode, pid } of networkNamespaces()) {
      if (inode === ownInode) continue;
      try {
        using roles = inNetworkNamespace(`/proc/${pid}/ns/net`, () => object.walk("seed_role"));
        roles.next(1);
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        // its process has gone, or it may not be entered: roles are told at the end
      }
    }
  }

  /**
   * The maps that the next generation takes over; the descriptors belong to this one.
   * @param ringSize bytes that the next one's ring shall have
   */
  shared(ringSize: number): SharedMaps {
    const maps = ringSize === this.ringSize ? [...STATE_MAPS, "ring"] : STATE_MAPS;
    return new Map(maps.map((map) => [map, this.mapFd(map)]));
  }

  /** Descriptor of a map; it belongs to this. */
  mapFd(map: string): number {
    return this.#object.mapFd(map);
  }

  /** Bytes of the ring. */
  get ringSize(): number {
    return this.#object.maxEntries("ring");
  }

  /** Begins to walk with one of its iterators. */
  walk(program: string): Walk {
    return this.#object.walk(program);
  }

  /** A variable of `.bss`, all generations' together. @param offset one of BSS */
  get(offset: number): bigint {
    return this.#variables.getBigUint64(offset, true);
  }

  /** Sets a variable of `.bss`. */
  set(offset: number, value: bigint): void {
    this.#variables.setBigUint64(offset, value, true);
  }

  /** Runs that the kernel skipped because a program was interrupted by itself, all generations'. */
  get skippedRuns(): number {
    return presentHooks().reduce(
      (sum, { program }) => sum + this.#object.recursionMisses(program),
      this.#skippedBefore,
    );
  }

  /** Writes down what the kernel forgets together with the programs, for the next generation. */
  saveSkippedRuns(): void {
    this.set(BSS.skipped_runs, BigInt(this.skippedRuns));
  }

  /** Detaches it, where its links are not pinned; the iterators stay. */
  detach(): void {
    this.#object.detach();
  }

  [Symbol.dispose](): void {
    // a view used after munmap is a segmentation fault; an empty one is a RangeError
    this.#variables = new DataView(new ArrayBuffer(0));
    this.#resources.dispose();
  }
}

/** The generation that is at work in maps that were taken over. */
export function activeGeneration(shared: SharedMaps): bigint {
  using variables = new Mapping(shared.get(".bss") ?? -1, BSS.size, "read");
  return new DataView(variables.buffer).getBigUint64(BSS.active_generation, true);
}

/** Leaves word of how records and counters lie. */
function describe(object: BpfObject): void {
  const value = new Uint8Array(LIMIT.description);
  new TextEncoder().encodeInto(`${RECORD_DESCRIPTION}\n${BSS_DESCRIPTION}`, value);
  object.updateMap("description", new Uint8Array(4), value);
}
