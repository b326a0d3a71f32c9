/** Sessions as they end: the kernel program at work, and its ring read. */
import { BpfObject } from "../ffi/bpf_object.ts";
import { bootTimeNs, ClockStepEvent } from "../ffi/clock.ts";
import { LibbpfError } from "../ffi/libbpf.ts";
import { SystemError } from "../ffi/libc.ts";
import { Mapping } from "../ffi/mapping.ts";
import { inNetworkNamespace } from "../ffi/network_namespace.ts";
import { type Interest, Poller } from "../ffi/poller.ts";
import { Ring } from "../ffi/ring.ts";
import { SessionBatch } from "./batch.ts";
import { parseNetwork } from "./cidr.ts";
import { HostError } from "./errors.ts";
import { ExcludedCgroups } from "./excluded_cgroups.ts";
import { HOOKS, presentHooks, requireHost } from "./host.ts";
import { Limiter } from "./limiter.ts";
import { Nesting } from "./nesting.ts";
import { networkNamespaceOf, networkNamespaces } from "./network_namespaces.ts";
import { readProcLink } from "./procfs.ts";
import {
  BSS,
  FLAG,
  LIMIT,
  NETWORK_KEY,
  NETWORKS,
  RECORD,
  RODATA,
  TALLY,
  TEXT_LENGTH,
} from "./record_layout.ts";
import { type SamplingOptions, threshold, thresholdText } from "./sampling.ts";
import { Selection } from "./selection.ts";
import { WallClock } from "./wall_clock.ts";

/** What to capture. An empty list lets everything through. */
export interface CaptureOptions {
  /** Process ids of owners, in this process's pid namespace; at most 64. */
  readonly pids?: readonly number[];
  readonly localPorts?: readonly number[];
  readonly remotePorts?: readonly number[];
  readonly families?: readonly ("ipv4" | "ipv6")[];
  /** Networks of peers to capture. */
  readonly includeCidrs?: readonly string[];
  /** Networks of peers to leave out, also of those included. */
  readonly excludeCidrs?: readonly string[];
  /** Names of executables whose sessions are left out; of those of scripts, the interpreter's. */
  readonly excludeExecutables?: readonly string[];
  /** Paths of cgroups (v2) whose processes' sessions are left out, and of those below them. */
  readonly excludeCgroups?: readonly string[];
  /** Payload, both ways together, of sessions to capture. */
  readonly minBytes?: number;
  /** Milliseconds that sessions to capture last at least. */
  readonly minDuration?: number;
  /** Records that are captured in a second at most; 0, as by default, for any number. */
  readonly maxSessionsPerSecond?: number;
  /** Which of the sessions that fulfil the rest are captured; undefined: all. */
  readonly sampling?: SamplingOptions | undefined;
  /** Ring buffer in bytes: a power of two, a multiple of the page size. Default 16 MiB. */
  readonly ringBuffer?: number;
  /** Whether to report sessions that were open before the start. Default true. */
  readonly existing?: boolean;
  /** Reports sessions that are open for as many milliseconds, again and again; undefined: never. */
  readonly interim?: number | undefined;
  /** Whether to report the sessions that are still open when the capture stops. Default false. */
  readonly reportOpenOnExit?: boolean;
  /** Ends the capture: what is in the ring is still delivered. */
  readonly signal?: AbortSignal;
}

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

const AF: Record<"ipv4" | "ipv6", number> = { ipv4: 2, ipv6: 10 };
const OBJECT = new URL("../bpf/tcpspan.bpf.o", import.meta.url);
const DEFAULT_RING = 16 * 1024 * 1024; // bytes
const MAX_BATCH = 4096; // sessions
const MOST_AT_ONCE = 512; // records that a walk makes before the ring is read
const WALK_PAUSE_MS = 5; // between them, so that exporters keep pace
const MOST_INTERVAL_MS = 2 ** 31 - 1; // of setInterval
const STRIDE = RECORD.size + 8; // of a record in the ring, which has a header
// Under load the ring is read at intervals; a reader that has caught up sleeps without a timer.
const LEAST_COALESCE_MS = 10;
const MOST_COALESCE_MS = 200;
const COALESCE_FILL = 1 / 16; // of the ring, between two readings
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
    if (this.#free.length < MOST_FREE) this.#free.push(memory);
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
    const key = await samplingKey(options);
    try {
      return new Capture(elf, options, key, output);
    } catch (error) {
      if (error instanceof LibbpfError || error instanceof SystemError) {
        throw new HostError(error.message, { cause: error });
      }
      throw error;
    }
  }

  private constructor(
    elf: Uint8Array<ArrayBuffer>,
    options: CaptureOptions,
    key: Uint8Array,
    output?: number,
  ) {
    this.#selection = new Selection(options);
    using onFailure = new DisposableStack();
    const object = onFailure.use(new BpfObject(elf));
    object.setMaxEntries("ring", options.ringBuffer ?? DEFAULT_RING);
    writeSettings(new DataView(object.initialValues(".rodata")), options, key);
    const hooks = presentHooks();
    for (const hook of HOOKS) if (!hooks.includes(hook)) object.disable(hook.program);
    const reportsOpen = options.interim !== undefined || options.reportOpenOnExit === true;
    if (!reportsOpen) object.disable("report_open");
    resizeMaps(object, options);
    object.load();
    fillMaps(object, options);
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

  /** Those of `excludeCgroups` that do not exist now. */
  get missingCgroups(): readonly string[] {
    return this.#excludedCgroups.missing;
  }

  /** Batches of sessions, as they lie in the ring. */
  async *[Symbol.asyncIterator](): AsyncGenerator<SessionBatch, void, void> {
    const look = new Limiter(LOOK_MS);
    const pace = new Pace(this.#ring.size * COALESCE_FILL);
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
    const memory = this.#free.pop() ?? new ArrayBuffer(MAX_BATCH * RECORD.size);
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

/** How long the reader sleeps, so that a part of the ring fills up meanwhile at the rate of late. */
class Pace {
  readonly #fill: number;
  #read = performance.now();

  /** @param fill bytes */
  constructor(fill: number) {
    this.#fill = fill;
  }

  /** @param bytes that were read just now. @returns milliseconds until the next time */
  next(bytes: number): number {
    const now = performance.now();
    const perMs = bytes / (now - this.#read);
    this.#read = now;
    return Math.min(Math.max(this.#fill / perMs, LEAST_COALESCE_MS), MOST_COALESCE_MS);
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
  const ownInode = networkNamespaceOf("self");
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
 * import { capture } from "../mod.ts";
 *
 * await using sessions = await capture({ signal: AbortSignal.timeout(100) });
 * for await (const batch of sessions) {
 *   for (const session of batch) {
 *     console.log(session.comm, session.serverPort, session.txBytes, session.rxBytes);
 *   }
 * }
 * ```
 */
export function capture(options: CaptureOptions = {}): Promise<Capture> {
  return Capture.open(options);
}

function writeSettings(rodata: DataView, options: CaptureOptions, key: Uint8Array): void {
  const pids = options.pids ?? [];
  if (pids.length > LIMIT.pids) {
    throw new RangeError(
      `cannot filter by ${pids.length} pids: at most ${LIMIT.pids} are possible`,
    );
  }
  rodata.setUint32(RODATA.filter_pid_count, pids.length, true);
  pids.forEach((pid, i) => rodata.setUint32(RODATA.filter_pids + 4 * i, pid, true));
  writePorts(rodata, RODATA.filter_local_ports, RODATA.local_ports, options.localPorts);
  writePorts(rodata, RODATA.filter_peer_ports, RODATA.peer_ports, options.remotePorts);
  const [family, other] = new Set(options.families);
  if (family !== undefined && other === undefined) {
    rodata.setUint16(RODATA.filter_family, AF[family], true);
  }
  rodata.setUint8(RODATA.include_networks, isFull(options.includeCidrs));
  rodata.setUint8(RODATA.exclude_networks, isFull(options.excludeCidrs));
  rodata.setUint8(RODATA.exclude_executables, isFull(options.excludeExecutables));
  rodata.setUint8(RODATA.exclude_cgroups, isFull(options.excludeCgroups));
  rodata.setBigUint64(RODATA.min_bytes, BigInt(options.minBytes ?? 0), true);
  const minDurationNs = BigInt(options.minDuration ?? 0) * 1_000_000n;
  rodata.setBigUint64(RODATA.min_duration_ns, minDurationNs, true);
  rodata.setBigUint64(RODATA.most_per_second, BigInt(options.maxSessionsPerSecond ?? 0), true);
  if (options.sampling !== undefined) writeSampling(rodata, options.sampling);
  key.forEach((byte, i) => rodata.setUint8(RODATA.trace_key + i, byte));
  rodata.setUint8(RODATA.report_existing, options.existing === false ? 0 : 1);
  rodata.setBigUint64(RODATA.interim_ns, BigInt(options.interim ?? 0) * 1_000_000n, true);
  rodata.setUint32(RODATA.own_pid, Deno.pid, true);
  const namespace = /\d+/.exec(readProcLink("self/ns/pid") ?? "")?.[0];
  rodata.setUint32(RODATA.pid_namespace, Number(namespace ?? 0), true);
  rodata.setBigUint64(RODATA.tracer_start_ns, bootTimeNs(), true);
}

function writePorts(
  rodata: DataView,
  enabled: number,
  bitmap: number,
  ports: readonly number[] | undefined,
): void {
  if (ports === undefined || ports.length === 0) return;
  rodata.setUint8(enabled, 1);
  for (const port of ports) {
    if (!Number.isInteger(port) || port < 0 || port > 65535) {
      throw new RangeError(`cannot filter by port ${port}: ports are 0 to 65535`);
    }
    const at = bitmap + (port >> 3);
    rodata.setUint8(at, rodata.getUint8(at) | 1 << (port & 7));
  }
}

function writeSampling(rodata: DataView, { ratio, keepErrors }: SamplingOptions): void {
  rodata.setUint8(RODATA.sampling, 1);
  rodata.setUint8(RODATA.keep_errors, keepErrors === true ? 1 : 0);
  rodata.setBigUint64(RODATA.sampling_threshold, threshold(thresholdText(ratio)), true);
}

/** Of the trace ids that decide; nothing where none do. It takes a module to make, and memory. */
async function samplingKey({ sampling }: CaptureOptions): Promise<Uint8Array> {
  if (sampling === undefined) return new Uint8Array();
  const { hashKey } = await import("./hash_key.ts");
  return hashKey(sampling.key ?? "");
}

function isFull(list: readonly unknown[] | undefined): 0 | 1 {
  return list === undefined || list.length === 0 ? 0 : 1;
}

/** Makes room for what the options list. */
function resizeMaps(object: BpfObject, options: CaptureOptions): void {
  const { includeCidrs = [], excludeCidrs = [], excludeExecutables = [], excludeCgroups = [] } =
    options;
  const resize = (map: string, entries: number) => object.setMaxEntries(map, Math.max(1, entries));
  resize("networks", includeCidrs.length + excludeCidrs.length);
  resize("excluded_executables", excludeExecutables.length);
  resize("excluded_cgroups", excludeCgroups.length);
}

const IN_MAP = Uint8Array.of(1);

function fillMaps(object: BpfObject, options: CaptureOptions): void {
  const networks = (list: number, cidrs: readonly string[]) => {
    for (const cidr of cidrs) object.updateMap("networks", networkKey(list, cidr), IN_MAP);
  };
  networks(NETWORKS.INCLUDED, options.includeCidrs ?? []);
  networks(NETWORKS.EXCLUDED, options.excludeCidrs ?? []);
  for (const name of options.excludeExecutables ?? []) {
    const key = new Uint8Array(TEXT_LENGTH.exe);
    key.set(new TextEncoder().encode(name).subarray(0, TEXT_LENGTH.exe - 1)); // as it is cut there
    object.updateMap("excluded_executables", key, IN_MAP);
  }
}

function excludeCgroups(object: BpfObject, paths: readonly string[]): ExcludedCgroups {
  const key = (id: bigint) => new Uint8Array(BigUint64Array.of(id).buffer);
  return new ExcludedCgroups(paths, {
    add: (id) => object.updateMap("excluded_cgroups", key(id), IN_MAP),
    remove: (id) => object.deleteFromMap("excluded_cgroups", key(id)),
  });
}

/** `struct network_key` */
function networkKey(list: number, cidr: string): Uint8Array<ArrayBuffer> {
  const { family, bytes, prefix } = parseNetwork(cidr);
  const key = new Uint8Array(NETWORK_KEY.size);
  const view = new DataView(key.buffer);
  const head = (NETWORK_KEY.address - NETWORK_KEY.list) * 8; // bits that have to be the same
  view.setUint32(NETWORK_KEY.prefix_length, head + prefix, true);
  view.setUint16(NETWORK_KEY.list, list, true);
  view.setUint16(NETWORK_KEY.family, AF[family], true);
  key.set(bytes, NETWORK_KEY.address);
  return key;
}
