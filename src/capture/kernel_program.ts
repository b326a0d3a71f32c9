/** The kernel program of one generation: loaded, attached, and what it counts. */
import { constants } from "node:os";
import { BpfObject } from "../../ffi/bpf_object.ts";
import { bootTimeNs } from "../../ffi/clock.ts";
import { LibbpfError, RefusedProgram } from "../../ffi/libbpf.ts";
import { SystemError } from "../../ffi/libc.ts";
import { Mapping } from "../../ffi/mapping.ts";
import type { Walk } from "../../ffi/walk.ts";
import { HOOKS, presentHooks } from "./hooks.ts";
import { BSS, BSS_DESCRIPTION, LIMIT, RECORD_DESCRIPTION } from "../session/record_layout.ts";
import type { CaptureOptions } from "./capture_options.ts";
import { type ClockHistory, readHistory, writeHistory } from "./clock_history.ts";
import type { ExcludedCgroups } from "./excluded_cgroups.ts";
import { ITERATORS, type Purpose } from "./iterators.ts";
import { excludeCgroups, type KernelSettings } from "./kernel_settings.ts";
import {
  isOptional,
  type Omission,
  omissionOf,
  type OptionalPart,
  type OptionalProgram,
} from "./omission.ts";
import { WaitingReports } from "./waiting_reports.ts";

const { EMFILE, ENFILE, ENOMEM } = constants.errno;

/** Maps through which programs of one generation pass on what they know of sockets to the next. */
export const STATE_MAPS = ["sockets", "connections", "waiting", "own_sessions", ".bss"] as const;

/** Descriptors of maps by name: those of STATE_MAPS, and `ring` if it has the right size. */
export type SharedMaps = ReadonlyMap<string, number>;

/** What it is loaded with. */
export interface KernelProgramOptions {
  readonly elf: Uint8Array<ArrayBuffer>;
  readonly settings: KernelSettings;
  readonly capture: CaptureOptions;
  /** The maps of the generation before; undefined for the first. */
  readonly shared: SharedMaps | undefined;
  /** Whether it will learn what was open before. */
  readonly seeds: boolean;
}

/**
 * Programs of two generations can be attached at once: a number in the maps that they share says
 * which one is active; the other stands by. So the next one takes over without a gap, with all that
 * is known of open sockets.
 */
export class KernelProgram implements Disposable {
  /** Counts from 1; the active one's is in `.bss`. */
  readonly generation: bigint;
  readonly excludedCgroups: ExcludedCgroups;
  /** Reports that wait for their sockets' close, of all generations. */
  readonly waitingReports: WaitingReports;
  readonly #resources: DisposableStack;
  readonly #object: BpfObject;
  readonly #omissions = new Map<OptionalPart, Omission>();
  #variables: DataView;
  readonly #skippedBefore: number;

  /** Loads it. @throws {LibbpfError}, {SystemError} or {HostError} */
  constructor({ elf, settings, capture, shared, seeds }: KernelProgramOptions) {
    using resources = new DisposableStack();
    this.generation = shared === undefined ? 1n : activeGeneration(shared) + 1n;
    const reports = capture.interim !== undefined || capture.reportOpenOnExit === true;
    const purposes: Purpose[] = [
      ...(seeds ? ["seed" as const] : []),
      ...(reports ? ["report" as const] : []),
      "count",
    ];
    const iterators = purposes.flatMap((purpose) => Object.values(ITERATORS[purpose]));
    const object = this.#object = resources.use(this.#load(elf, iterators, (object) => {
      settings.writeBeforeLoad(object, this.generation);
      for (const [map, fd] of shared ?? []) object.reuseMap(map, fd);
    }));
    settings.writeAfterLoad(object);
    writeDescription(object);
    this.excludedCgroups = excludeCgroups(object, capture.excludeCgroups ?? []);
    if (!this.excludedCgroups.canExclude) {
      this.goWithout("exclude_cgroups", "no hierarchy of cgroups v2 is mounted");
    }
    const variables = resources.use(new Mapping(object.mapFd(".bss"), BSS.size, "read-write"));
    this.#variables = new DataView(variables.buffer);
    this.#skippedBefore = Number(this.get(BSS.skipped_runs));
    this.waitingReports = new WaitingReports(object.mapFd("waiting"));
    for (const program of iterators) this.#try(program, () => object.attachIterator(program));
    this.#resources = resources.move();
  }

  /** What it runs without. */
  get omissions(): readonly Omission[] {
    return [...this.#omissions.values()];
  }

  /** Notes that it runs without a part. @param reason in the system's words */
  goWithout(part: OptionalPart, reason: string): void {
    this.#omissions.set(part, omissionOf(part, reason));
  }

  /**
   * Attaches it, standing by.
   * @returns descriptors of the links, by program
   */
  attach(): Map<string, number> {
    const links = new Map<string, number>();
    for (const { program } of presentHooks()) {
      this.#try(program, () => links.set(program, this.#object.attach(program)));
    }
    return links;
  }

  /** Loads what the kernel takes. @param iterators those that are wanted */
  #load(
    elf: Uint8Array<ArrayBuffer>,
    iterators: readonly OptionalProgram[],
    prepare: (object: BpfObject) => void,
  ): BpfObject {
    const hooks = presentHooks().map(({ program }) => program);
    for (const { program } of HOOKS) {
      if (hooks.includes(program) || !isOptional(program)) continue;
      this.goWithout(program, "this kernel does not have it");
    }
    const unwanted = Object.values(ITERATORS).flatMap((programs) => Object.values(programs))
      .filter((program) => !iterators.includes(program));
    for (;;) { // an object with a refused program cannot be used again
      using stack = new DisposableStack();
      const object = stack.use(new BpfObject(elf));
      prepare(object);
      for (const program of [...unwanted, ...[...this.#omissions.keys()].filter(isOptional)]) {
        object.disable(program);
      }
      try {
        object.load();
        stack.move();
        return object;
      } catch (error) {
        if (!(error instanceof RefusedProgram) || !isOptional(error.program)) throw error;
        if (isShortage(error) || this.#omissions.has(error.program)) throw error;
        this.goWithout(error.program, error.reason);
      }
    }
  }

  /** Runs without an optional program that was loaded, if the kernel refuses to attach it. */
  #try(program: string, act: () => void): void {
    if (isOptional(program) && this.#omissions.has(program)) return;
    try {
      act();
    } catch (error) {
      const isRefusal = error instanceof LibbpfError || error instanceof SystemError;
      if (!isRefusal || isShortage(error) || !isOptional(program)) throw error;
      this.goWithout(program, error.message);
    }
  }

  /** Makes it the active one. */
  activate(): void {
    if (this.get(BSS.tracing_since_ns) === 0n) this.set(BSS.tracing_since_ns, bootTimeNs());
    this.set(BSS.active_generation, this.generation);
  }

  /**
   * The maps that the next generation takes over; the descriptors belong to this one.
   * @param ringSize bytes that the next one's ring must have
   */
  shared(ringSize: number): SharedMaps {
    const maps = ringSize === this.ringSize ? [...STATE_MAPS, "ring"] : STATE_MAPS;
    return new Map(maps.map((map) => [map, this.mapFd(map)]));
  }

  /** Descriptor of a map; it belongs to this program. */
  mapFd(map: string): number {
    return this.#object.mapFd(map);
  }

  /** Bytes of the ring. */
  get ringSize(): number {
    return this.#object.maxEntries("ring");
  }

  /** Whether it can walk with one of its iterators. */
  has(program: OptionalProgram): boolean {
    return this.#object.hasIterator(program);
  }

  /** Begins to walk with one of its iterators. @throws {SystemError} */
  walk(program: OptionalProgram): Walk {
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

  /** What this run and those before it know of the clocks. */
  get clocks(): ClockHistory {
    return readHistory((word) => this.get(BSS.clock_readings + 8 * word));
  }

  set clocks(history: ClockHistory) {
    writeHistory(history, (word, value) => this.set(BSS.clock_readings + 8 * word, value));
  }

  /** Runs that the kernel skipped because a program interrupted itself, of all generations. */
  get skippedRuns(): number {
    return presentHooks().filter(({ program }) =>
      !isOptional(program) || !this.#omissions.has(program)
    )
      .reduce(
        (sum, { program }) => sum + this.#object.recursionMisses(program),
        this.#skippedBefore,
      );
  }

  /** Saves for the next generation what the kernel forgets with the programs. */
  saveSkippedRuns(): void {
    this.set(BSS.skipped_runs, BigInt(this.skippedRuns));
  }

  /** Detaches it, unless its links are pinned; the iterators stay. */
  detach(): void {
    this.#object.detach();
  }

  [Symbol.dispose](): void {
    // a view used after munmap is a segmentation fault; an empty one is a RangeError
    this.#variables = new DataView(new ArrayBuffer(0));
    this.#resources.dispose();
  }
}

/** The generation that is active in maps that were taken over. */
export function activeGeneration(shared: SharedMaps): bigint {
  using variables = new Mapping(shared.get(".bss") ?? -1, BSS.size, "read");
  return new DataView(variables.buffer).getBigUint64(BSS.active_generation, true);
}

/** Whether the kernel did not refuse, but lacked descriptors or memory, which it may have later. */
function isShortage({ errno }: LibbpfError | SystemError): boolean {
  return errno === ENOMEM || errno === ENFILE || errno === EMFILE;
}

/** Leaves the layout of records and counters in the kernel. */
function writeDescription(object: BpfObject): void {
  const value = new Uint8Array(LIMIT.description);
  new TextEncoder().encodeInto(`${RECORD_DESCRIPTION}\n${BSS_DESCRIPTION}`, value);
  object.updateMap("description", new Uint8Array(4), value);
}
