/** Sessions as they end: the kernel program at work, and its ring read. */
import { BpfObject } from "../../ffi/bpf_object.ts";
import { bootTimeNs, ClockStepEvent } from "../../ffi/clock.ts";
import { LibbpfError } from "../../ffi/libbpf.ts";
import { SystemError } from "../../ffi/libc.ts";
import { Mapping } from "../../ffi/mapping.ts";
import { inNetworkNamespace } from "../../ffi/network_namespace.ts";
import { type Interest, Poller } from "../../ffi/poller.ts";
import { Ring } from "../../ffi/ring.ts";
import { SessionBatch } from "../batch.ts";
import type { CaptureOptions } from "./capture_options.ts";
import { HostError } from "../errors.ts";
import type { ExcludedCgroups } from "./excluded_cgroups.ts";
import { HOOKS, presentHooks, requireHost } from "../host.ts";
import { excludeCgroups, KernelSettings } from "./kernel_settings.ts";
import { Limiter } from "../limiter.ts";
import { Nesting } from "./nesting.ts";
import { networkNamespaces } from "./network_namespaces.ts";
import { namespaceOf } from "../procfs.ts";
import { BSS, FLAG, RECORD, TALLY } from "../record_layout.ts";
import { Selection } from "./selection.ts";
import { WallClock } from "./wall_clock.ts";

/** Sessions that were seen and not delivered, by place, since the start. */
export interface CaptureLosses {
  /** The ring was full. */
  readonly ringFull: number;
  /** The kernel had no memory for a socket's state. */
  readonly storageFailed: number;
  /** There were more in one second than `maxSessionsPerSecond`. */
  readonly overCap: number;
  /** The kernel ran no program at the session's end. Known once the capture has stopped. */
  readonly unseen: number;
  /**
   * Runs of a kernel program skipped because it was interrupted by itself: state changes that were
   * not seen. Not sessions: those are reported by a later hook.
   */
  readonly skippedRuns: number;
}

const OBJECT = new URL("../../bpf/tcpspan.bpf.o", import.meta.url);
const MAX_BATCH = 4096; // sessions
const MOST_AT_ONCE = 512; // records that a walk makes before the ring is read
const WALK_PAUSE_MS = 5; // between them, so that exporters keep pace
const MOST_INTERVAL_MS = 2 ** 31 - 1; // of setInterval
const STRIDE = RECORD.size + 8; // of a record in the ring, which has a header
// Under load the ring is read at intervals; a reader that has caught up sleeps without a timer.
const LEAST_COALESCE_MS = 10;
const MOST_COALESCE_MS = 100;
const PEAK = 30_000; // bytes a millisecond that may come without notice: 100,000 records a second
const COALESCE_FILL = 1 / 16; // of the ring, between two readings
const FEW = 256; // sessions
const MOST_FREE = 2; // buffers for batches that are kept
// A report that waits for its socket's close is handed over after as long: the process may hang.
const MOST_WAIT_MS = 1000;
const LEAST_WAIT_NS = 900_000_000n; // of those that are handed over then
const SETTLE_MS = 2;
const SAME_OFFSET_NS = 10_000; // between the readings of two clocks, one like the other
const CGROUP_REFRESH_MS = 1000;
// How often a busy reader looks for other events: a step of the clock, a reader of stdout that left.
const LOOK_MS = 500;

/** What `poller.ready` counts by. */
const enum Event {
  Ring,
  ClockStep,
  Hangup,
}

/** A running capture. Iterate once; dispose to detach. */
export class Capture implements AsyncIterable<SessionBatch>, AsyncDisposable {
  readonly #resources = new AsyncDisposableStack();
  readonly #object: BpfObject;
  readonly #ring: Ring;
  readonly #clockSteps: ClockStepEvent;
  readonly #poller: Poller;
  readonly #clock: WallClock;
  readonly #nesting = new Nesting();
  readonly #free: ArrayBuffer[] = [];
  readonly #giveBack = (memory: ArrayBuffer) => {
    const isWhole = memory.byteLength === MAX_BATCH * RECORD.size;
    if (isWhole && this.#free.length < MOST_FREE) this.#free.push(memory);
  };
  readonly #counters: Mapping;
  readonly #selection: Selection;
  readonly #excludedCgroups: ExcludedCgroups;
  readonly #hasOutput: boolean;
  readonly #reportOpenOnExit: boolean;
  #stopping = false;
  #disposed = false;
  #unseen = 0;
  #releaseDue = false;
  #releaseAgain = false;
  #releaseTimer: ReturnType<typeof setTimeout> | undefined;
  #interimDue = false;
  #wakeSleeper: () => void = () => {};

  /**
   * @param output a descriptor whose reader ends the capture by going away
   * @throws {HostError} if the kernel or the host makes it impossible
   */
  static async open(options: CaptureOptions, output?: number): Promise<Capture> {
    requireHost();
    const elf = await Deno.readFile(OBJECT);
    const settings = await KernelSettings.of(options);
    try {
      return new Capture(elf, settings, options, output);
    } catch (error) {
      if (error instanceof LibbpfError || error instanceof SystemError) {
        throw new HostError(error.message, { cause: error });
      }
      throw error;
    }
  }

  private constructor(
    elf: Uint8Array<ArrayBuffer>,
    settings: KernelSettings,
    options: CaptureOptions,
    output?: number,
  ) {
    this.#selection = new Selection(options);
    using onFailure = new DisposableStack();
    const object = onFailure.use(new BpfObject(elf));
    settings.writeBeforeLoad(object);
    const hooks = presentHooks();
    for (const hook of HOOKS) if (!hooks.includes(hook)) object.disable(hook.program);
    const reportsOpen = options.interim !== undefined || options.reportOpenOnExit === true;
    if (!reportsOpen) object.disable("report_open");
    object.load();
    settings.writeAfterLoad(object);
    this.#excludedCgroups = excludeCgroups(object, options.excludeCgroups ?? []);
    const ring = onFailure.use(new Ring(object.mapFd("ring"), object.maxEntries("ring")));
    const counters = onFailure.use(new Mapping(object.mapFd(".bss"), BSS.size, "read-write"));
    const clockSteps = onFailure.use(new ClockStepEvent());
    this.#clock = new WallClock(); // once steps are noticed
    for (const { program } of hooks) object.attach(program);
    object.attachIterator("release_waiting", "waiting");
    object.attachIterator("count_open", "sockets");
    if (reportsOpen) object.attachIterator("report_open", "sockets");
    seed(object); // what opens from here on is seen

    const interests: Interest[] = [];
    interests[Event.Ring] = { fd: ring.fd, until: "readable" };
    interests[Event.ClockStep] = { fd: clockSteps.fd, until: "readable" };
    if (output !== undefined) interests[Event.Hangup] = { fd: output, until: "hangup" };
    this.#hasOutput = output !== undefined;
    this.#object = object;
    this.#ring = ring;
    this.#clockSteps = clockSteps;
    this.#poller = new Poller(interests);
    this.#counters = counters;
    this.#set(BSS.least_wait_ns, LEAST_WAIT_NS);
    this.#reportOpenOnExit = options.reportOpenOnExit ?? false;
    const disposables = onFailure.move();
    this.#resources.defer(() => disposables.dispose());
    this.#resources.use(this.#poller); // first of all: its wait uses the ring's descriptor
    const stop = () => this.stop();
    options.signal?.addEventListener("abort", stop);
    this.#resources.defer(() => options.signal?.removeEventListener("abort", stop));
    if (options.signal?.aborted) this.stop();
    if (options.interim !== undefined) {
      const timer = setInterval(() => {
        this.#interimDue = true;
        this.#wake();
      }, Math.min(options.interim, MOST_INTERVAL_MS));
      this.#resources.defer(() => clearInterval(timer));
    }
    this.#resources.defer(() => clearTimeout(this.#releaseTimer));
    if (options.excludeCgroups !== undefined && options.excludeCgroups.length > 0) {
      const timer = setInterval(() => this.#excludedCgroups.refresh(), CGROUP_REFRESH_MS);
      this.#resources.defer(() => clearInterval(timer));
    }
  }

  /** Ends the iteration once what is in the ring has been delivered. */
  stop(): void {
    this.#stopping = true;
    this.#wake();
  }

  /** What was lost until now. */
  losses(): CaptureLosses {
    return {
      ringFull: Number(this.#counter(BSS.lost_ring_full)),
      storageFailed: Number(this.#counter(BSS.lost_storage_failed)),
      overCap: Number(this.#counter(BSS.over_cap)),
      unseen: this.#unseen,
      skippedRuns: presentHooks().reduce(
        (sum, { program }) => sum + this.#object.recursionMisses(program),
        0,
      ),
    };
  }

  /** Sessions, and reports of open ones, that sampling left out until now. */
  get sampledOut(): number {
    return Number(this.#counter(BSS.sampled_out)) + this.#selection.sampledOut;
  }

  /** Bytes in the ring that wait to be read. */
  get ringWaiting(): number {
    return this.#ring.waiting;
  }

  /** Bytes that the ring has room for. */
  get ringSize(): number {
    return this.#ring.size;
  }

  /** Those of `excludeCgroups` that do not exist now. */
  get missingCgroups(): readonly string[] {
    return this.#excludedCgroups.missing;
  }

  /** Batches of sessions, as they lie in the ring. */
  async *[Symbol.asyncIterator](): AsyncGenerator<SessionBatch, void, void> {
    const look = new Limiter(LOOK_MS);
    const pace = new Pace(this.#ring.size);
    let idle = true;
    while (!this.#disposed) {
      if (!this.#stopping && (idle || look.allows())) {
        await this.#poller.wait(); // returns at once while there is something to read
        this.#react();
      }
      if (this.#disposed) return;
      if (this.#stopping) {
        yield* this.#end();
        return;
      }
      if (this.#releaseDue) {
        this.#releaseDue = false;
        // a walk passes over some when it takes others away: until there is nothing
        while (yield* this.#walk("release_waiting"));
      }
      if (this.#interimDue) {
        this.#interimDue = false;
        yield* this.#walk("report_open");
      }
      const consumed = this.#ring.consumed;
      idle = !(yield* this.#read());
      if (!idle) await this.#sleep(pace.next(this.#ring.consumed - consumed));
    }
  }

  /** Detaches, and ends an iteration that is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.stop();
    await this.#resources.disposeAsync();
  }

  /** What is left when the capture stops. */
  async *#end(): AsyncGenerator<SessionBatch, void, void> {
    if (this.#reportOpenOnExit) {
      this.#set(BSS.last_round, bootTimeNs());
      // sockets that come and go make a walk pass some over: until there is nothing new
      while (yield* this.#walk("report_open"));
    }
    await this.#balance();
    if (this.#disposed) return;
    this.#set(BSS.least_wait_ns, 0n); // nothing has time to wait
    yield* this.#walk("release_waiting");
    if (this.#disposed) return;
    this.#object.detach(); // upstream first: what is read now is all
    while (yield* this.#walk("release_waiting"));
    yield* this.#read();
  }

  /** Finds out how many of the sessions begun until now have vanished: neither ended nor open. */
  async #balance(): Promise<void> {
    this.#set(BSS.count_until, bootTimeNs());
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS)); // programs that run just now
    if (this.#disposed) return;
    using open = this.#object.walk("count_open");
    open.next(1); // to the end, as it writes nothing
    let missing = -this.#counter(BSS.still_open);
    for (let i = 0; i < TALLY.count; i++) {
      missing += BigInt.asIntN(64, this.#counter(BSS.tallies + i * TALLY.size + TALLY.open));
    }
    this.#unseen = Math.max(0, Number(missing));
  }

  /** All that is in the ring. @returns whether there was something */
  *#read(): Generator<SessionBatch, boolean, void> {
    let found = false;
    while (!this.#disposed) {
      const batch = this.#drain();
      if (batch === undefined) break;
      found = true;
      if (batch.length > 0) yield batch;
      else batch[Symbol.dispose]();
    }
    return found;
  }

  /**
   * Has an iterator program fill the ring, and reads it in between, so that it never overflows.
   * @returns whether the program made a record
   */
  async *#walk(program: string): AsyncGenerator<SessionBatch, boolean, void> {
    if (this.#disposed) return false;
    const most = Math.min(MOST_AT_ONCE, Math.floor(this.#ring.size / 2 / STRIDE));
    let found = false;
    yield* this.#read(); // room for what it makes
    using walk = this.#object.walk(program);
    while (!this.#disposed && walk.next(most) > 0) {
      found = true;
      yield* this.#read();
      await new Promise((resolve) => setTimeout(resolve, WALK_PAUSE_MS));
    }
    return found;
  }

  /** Sees to it that reports that wait for their sockets' close are handed over in time. */
  #releaseLater(): void {
    if (this.#releaseTimer !== undefined) {
      this.#releaseAgain = true;
      return;
    }
    this.#releaseTimer = setTimeout(() => {
      this.#releaseTimer = undefined;
      this.#releaseDue = true;
      this.#wake();
      if (!this.#releaseAgain) return;
      this.#releaseAgain = false; // those announced since have not waited long enough
      this.#releaseLater();
    }, MOST_WAIT_MS);
  }

  #set(offset: number, value: bigint): void {
    new DataView(this.#counters.buffer).setBigUint64(offset, value, true);
  }

  #counter(offset: number): bigint {
    return new DataView(this.#counters.buffer).getBigUint64(offset, true);
  }

  #wake(): void {
    this.#poller.wake();
    this.#wakeSleeper();
  }

  /** Does what the poller's events ask for, but for reading the ring. */
  #react(): void {
    if (this.#disposed) return;
    if (this.#poller.ready(Event.ClockStep)) {
      this.#clockSteps.clear();
      this.#clock.step();
    }
    if (this.#hasOutput && this.#poller.ready(Event.Hangup)) this.stop();
  }

  /** The finished records at the head of the ring, at most MAX_BATCH; undefined if there are none. */
  #drain(): SessionBatch | undefined {
    if (this.#ring.waiting === 0) return undefined;
    const memory = this.#free.pop() ?? this.#allocate();
    const words = new Int32Array(memory);
    const count = this.#ring.read(words, RECORD.size);
    if (count === 0) {
      this.#giveBack(memory);
      return undefined;
    }
    this.#nesting.apply(words, count);
    const proper = dropAnnounced(words, count);
    if (proper < count) this.#releaseLater();
    this.#stampWallTime(words, proper);
    const selected = this.#selection.apply(words, proper);
    return new SessionBatch(new Uint8Array(memory, 0, selected * RECORD.size), this.#giveBack);
  }

  /** For what waits now; under load memory for a whole batch, which alone is used again. */
  #allocate(): ArrayBuffer {
    const waiting = Math.ceil(this.#ring.waiting / STRIDE);
    return new ArrayBuffer((waiting < FEW ? waiting : MAX_BATCH) * RECORD.size);
  }

  /** Puts the wall clock's offset in the place of what the kernel program knows of it. */
  #stampWallTime(words: Int32Array<ArrayBuffer>, count: number): void {
    const view = new DataView(words.buffer);
    const offset = RECORD.wall_offset_ns / 4;
    let [low, high] = [0, 0]; // of the last one: most are within microseconds of it
    let ns = 0n;
    for (let i = 0; i < count; i++) {
      const at = i * RECORD.size / 4 + offset;
      const [ofLow, ofHigh] = [words[at] ?? 0, words[at + 1] ?? 0];
      if (ofHigh !== high || Math.abs(ofLow - low) > SAME_OFFSET_NS || ofHigh === 0) {
        [low, high] = [ofLow, ofHigh];
        ns = this.#offsetOf(view, i * RECORD.size);
      }
      view.setBigInt64(i * RECORD.size + RECORD.wall_offset_ns, ns, true);
    }
  }

  /** Nanoseconds from the boot clock to the wall clock, at the end of the record at `at`. */
  #offsetOf(view: DataView, at: number): bigint {
    const tai = view.getBigInt64(at + RECORD.wall_offset_ns, true);
    const end = view.getBigUint64(at + RECORD.end_ns, true);
    return tai === 0n ? this.#clock.offsetAt(end) : this.#clock.offsetOfTai(tai, end);
  }

  async #sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wakeSleeper = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/**
 * How long the reader sleeps, so that a part of the ring fills up meanwhile at the rate of late, and
 * no more than a quarter of it should the rate rise to its peak.
 */
class Pace {
  readonly #fill: number; // bytes
  readonly #most: number; // milliseconds
  #read = performance.now();

  /** @param size of the ring, bytes */
  constructor(size: number) {
    this.#fill = size * COALESCE_FILL;
    this.#most = Math.max(LEAST_COALESCE_MS, Math.min(size / 4 / PEAK, MOST_COALESCE_MS));
  }

  /** @param bytes that were read just now. @returns milliseconds until the next time */
  next(bytes: number): number {
    const now = performance.now();
    const perMs = bytes / (now - this.#read);
    this.#read = now;
    return Math.min(Math.max(this.#fill / perMs, LEAST_COALESCE_MS), this.#most);
  }
}

/** Takes out announcements of records that follow later. @returns number of records left */
function dropAnnounced(words: Int32Array, count: number): number {
  const length = RECORD.size / 4;
  let left = 0;
  for (let i = 0; i < count; i++) {
    const at = i * length;
    if ((words[at + RECORD.flags / 4] ?? 0) & FLAG.ANNOUNCED) continue;
    if (left < i) words.copyWithin(left * length, at, at + length);
    left++;
  }
  return left;
}

/** Tells the kernel program what was open before it: sockets' owners, and who opened them. */
function seed(object: BpfObject): void {
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
 * Starts a capture of the TCP sessions that end on this host, in all network namespaces. Needs
 * root. Each batch holds one session or more; a session is a view that is decoded as it is read.
 *
 * @throws {HostError} if the kernel or the host makes it impossible
 *
 * @example Print the port and the payload of each session that ends within a tenth of a second
 * ```ts
 * import { capture } from "../../mod.ts";
 *
 * await using sessions = await capture({ signal: AbortSignal.timeout(100) });
 * for await (using batch of sessions) {
 *   for (const session of batch) {
 *     console.log(session.comm, session.serverPort, session.txBytes, session.rxBytes);
 *   }
 * }
 * ```
 */
export function capture(options: CaptureOptions = {}): Promise<Capture> {
  return Capture.open(options);
}
