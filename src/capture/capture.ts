/** Sessions as they end: runs the kernel program and reads its ring. */
import { bootTimeNs, ClockStepEvent } from "../../ffi/clock.ts";
import { type Interest, Poller } from "../../ffi/poller.ts";
import type { Ring } from "../../ffi/ring.ts";
import type { SessionBatch } from "../session/batch.ts";
import { HostError } from "../messages/errors.ts";
import { Limiter } from "../messages/limiter.ts";
import { BSS } from "../session/record_layout.ts";
import type { RecordTranslation } from "../session/record_translation.ts";
import { countUnseen } from "./balance.ts";
import type { CaptureOptions } from "./capture_options.ts";
import { Kernel } from "./kernel.ts";
import type { Omission } from "./omission.ts";
import { Pace } from "./pace.ts";
import { ReleaseTimer } from "./release_timer.ts";
import { RingReader } from "./ring_reader.ts";
import { Rounds } from "./rounds.ts";
import { Selection } from "./selection.ts";
import { EVER, type WaitingReports } from "./waiting_reports.ts";
import { WallClock } from "./wall_clock.ts";

/**
 * Sessions that were seen and not delivered, by place: since the start, or since the programs were
 * pinned.
 */
export interface CaptureLosses {
  /** The ring was full. */
  readonly ringFull: number;
  /** The kernel had no memory for a socket's state. */
  readonly storageFailed: number;
  /** There were more in one second than `maxSessionsPerSecond`. */
  readonly overCap: number;
  /**
   * The kernel ran no program at the session's end. Known once the capture has stopped, if nothing
   * is pinned. It is the number of sessions that began, minus those that ended and those that were
   * found open then.
   */
  readonly unseen: number;
  /**
   * Set if `unseen` is an upper bound: no walk could enter other network namespaces, in which
   * sessions that no process holds may be open.
   */
  readonly unseenAtMost?: true;
  /**
   * Runs of a kernel program that were skipped because it interrupted itself: state changes that
   * were not seen. No sessions are lost by it: a later hook reports them.
   */
  readonly skippedRuns: number;
}

const MOST_INTERVAL_MS = 2 ** 31 - 1; // of setInterval
// A report that waits for its socket's close is delivered after this time: the process may hang.
const MOST_WAIT_MS = 1000;
const LEAST_WAIT_NS = 900_000_000n; // of the reports that are taken then
const SETTLE_MS = 2;
const CGROUP_REFRESH_MS = 1000;
// How often a busy reader looks for other events: a step of the clock, a reader of stdout that left.
const LOOK_MS = 500;

/** Indexes for `poller.ready`. */
const enum Event {
  Ring,
  ClockStep,
  Hangup,
}

/** New options, which wait for a moment in which the reader does nothing else. */
interface Reconfiguration {
  readonly options: CaptureOptions;
  readonly output: number | undefined;
  readonly resolve: (omissions: readonly Omission[]) => void;
  readonly reject: (error: unknown) => void;
}

/** A running capture. Iterate once; dispose to detach what is not pinned. */
export class Capture implements AsyncIterable<SessionBatch>, AsyncDisposable {
  readonly #resources = new AsyncDisposableStack();
  readonly #kernel: Kernel;
  readonly #clock: WallClock;
  readonly #clockSteps: ClockStepEvent;
  #output: number | undefined;
  readonly #reader: RingReader;
  #poller: Poller;
  /** Those of the present options. */
  #timers = new DisposableStack();
  #reportOpenOnExit = false;
  #stopping = false;
  #hurried = false;
  #disposed = false;
  #unseen = 0;
  #unseenAtMost = false;
  #sampledOutBefore: number; // by earlier selections, minus what an earlier run counted
  #releaseDue = false;
  readonly #releaseTimer = new ReleaseTimer(MOST_WAIT_MS, () => {
    this.#releaseDue = true;
    this.#wake();
  });
  readonly #rounds: Rounds;
  #interimDue = false;
  #reconfigurations: Reconfiguration[] = [];
  #wakeSleeper: () => void = () => {};

  /**
   * @param output a descriptor; the capture ends when its reader goes away
   * @throws {HostError} if the kernel or the host makes it impossible, {UsageError} if nothing can be
   * pinned where the options say
   */
  static async open(options: CaptureOptions, output?: number): Promise<Capture> {
    using stack = new DisposableStack();
    const clockSteps = stack.use(new ClockStepEvent());
    const clock = new WallClock(); // after the event is armed: no step is missed
    const kernel = stack.use(await Kernel.open(options));
    const { oldRings } = kernel;
    clock.resume(
      [...kernel.program.clocks, ...oldRings.flatMap(({ clocks }) => clocks)],
      (history) => kernel.program.clocks = history,
    );
    const capture = new Capture(kernel, clock, clockSteps, options, output);
    const resources = stack.move();
    capture.#resources.defer(() => resources.dispose());
    capture.#resources.defer(() => capture.#poller[Symbol.asyncDispose]()); // it uses descriptors
    return capture;
  }

  private constructor(
    kernel: Kernel,
    clock: WallClock,
    clockSteps: ClockStepEvent,
    options: CaptureOptions,
    output: number | undefined,
  ) {
    this.#kernel = kernel;
    this.#clock = clock;
    this.#clockSteps = clockSteps;
    this.#output = output;
    this.#reader = new RingReader({
      clock,
      selection: new Selection(options),
      onAnnounced: () => this.#releaseTimer.announce(),
    });
    this.#rounds = new Rounds({
      kernel,
      read: () => this.#read(),
      mayGoOn: () => !this.#disposed && !this.#hurried,
    });
    this.#sampledOutBefore = -Number(kernel.program.get(BSS.sampled_out));
    this.#poller = this.#watch();
    this.#apply(options);
    const stop = () => this.stop();
    options.signal?.addEventListener("abort", stop);
    this.#resources.defer(() => options.signal?.removeEventListener("abort", stop));
    if (options.signal?.aborted) this.stop();
    this.#resources.use(this.#releaseTimer);
    this.#resources.defer(() => this.#timers.dispose());
    if (kernel.isPinned) this.#releaseTimer.announce(); // an earlier run may have read the announcements
  }

  /**
   * Continues with other options; what is known of open sessions is kept. `pin` and `signal` have
   * no effect. Resolves when the options are in force, which needs an iteration that is under way.
   * @param output as for `open`
   * @returns what it now runs without, and did not before
   * @throws {HostError} if the kernel or the host makes it impossible: the options are as before
   */
  reconfigure(options: CaptureOptions, output?: number): Promise<readonly Omission[]> {
    if (this.#disposed) return Promise.reject(hasEnded());
    return new Promise((resolve, reject) => {
      this.#reconfigurations.push({ options, output, resolve, reject });
      this.#wake();
    });
  }

  /** Ends the iteration after what is in the ring has been delivered. */
  stop(): void {
    this.#stopping = true;
    this.#wake();
  }

  /** Like `stop`, but does not report what is still open. */
  hurry(): void {
    this.#hurried = true;
    this.stop();
  }

  /** What was lost until now: since the start, or since the programs were pinned. */
  losses(): CaptureLosses {
    const { program } = this.#kernel;
    return {
      ringFull: Number(program.get(BSS.lost_ring_full)),
      storageFailed: Number(program.get(BSS.lost_storage_failed)),
      overCap: Number(program.get(BSS.over_cap)),
      unseen: this.#unseen,
      ...(this.#unseen > 0 && this.#unseenAtMost ? { unseenAtMost: true } : {}),
      skippedRuns: program.skippedRuns,
    };
  }

  /** Sessions, and reports of open ones, that sampling left out until now. */
  get sampledOut(): number {
    return Number(this.#kernel.program.get(BSS.sampled_out)) + this.#sampledOutBefore +
      this.#reader.selection.sampledOut;
  }

  /** What it runs without, because the host refused it. */
  get omissions(): readonly Omission[] {
    return this.#kernel.program.omissions;
  }

  /** Whether programs and ring stay in the kernel when it ends. */
  get isPinned(): boolean {
    return this.#kernel.isPinned;
  }

  /** Those of `excludeCgroups` that do not exist now. */
  get missingCgroups(): readonly string[] {
    return this.#kernel.program.excludedCgroups.missing;
  }

  /** Bytes of the ring, and how many of them wait to be read. */
  get ring(): { readonly size: number; readonly waiting: number } {
    const { size, waiting } = this.#kernel.ring;
    return { size, waiting };
  }

  /** Batches of sessions, as they lie in the ring. */
  async *[Symbol.asyncIterator](): AsyncGenerator<SessionBatch, void, void> {
    const look = new Limiter(LOOK_MS);
    let pace = new Pace(this.#kernel.ring.size);
    let idle = true;
    while (!this.#disposed) {
      if (!this.#stopping && (idle || look.allows())) {
        await this.#poller.wait(); // returns at once while there is something to read
        this.#react();
      }
      if (this.#disposed) return;
      if (this.#reconfigurations.length > 0) {
        await this.#reconfigure();
        if (this.#disposed) return;
        pace = new Pace(this.#kernel.ring.size);
      }
      if (this.#stopping) {
        yield* this.#end();
        return;
      }
      if (this.#releaseDue) {
        this.#releaseDue = false;
        yield* this.#take(this.#kernel.program.waitingReports, bootTimeNs() - LEAST_WAIT_NS);
        if (this.#disposed) return;
      }
      if (this.#interimDue) {
        this.#interimDue = false;
        yield* this.#rounds.report();
        if (this.#disposed) return;
      }
      const { ring } = this.#kernel;
      const position = ring.position;
      idle = !(yield* this.#read());
      if (!idle) await this.#sleep(pace.next(ring.position - position));
    }
  }

  /** Detaches, and ends an iteration that is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.stop();
    for (const { reject } of this.#reconfigurations.splice(0)) reject(hasEnded());
    await this.#resources.disposeAsync();
  }

  /**
   * What is left when the capture stops. What is pinned stays attached, and its sessions do not
   * end.
   */
  async *#end(): AsyncGenerator<SessionBatch, void, void> {
    const { program, ring, isPinned } = this.#kernel;
    if (isPinned) {
      program.saveSkippedRuns();
      yield* this.#read(ring.position + ring.waiting);
      return;
    }
    if (this.#reportOpenOnExit && !this.#hurried) yield* this.#rounds.reportAll();
    if (this.#disposed) return;
    await this.#balance();
    if (this.#disposed) return;
    program.detach(); // upstream first: nothing comes after what is read now
    await settled();
    if (this.#disposed) return;
    yield* this.#read();
    if (this.#disposed) return;
    yield* this.#take(program.waitingReports, EVER); // nothing has time to wait
  }

  /** Counts the sessions that began until now, and neither ended nor are open. */
  async #balance(): Promise<void> {
    const { program } = this.#kernel;
    if (!program.has("count_files") || !program.has("count_sockets")) return;
    program.set(BSS.count_until, bootTimeNs());
    await settled();
    if (this.#disposed) return;
    const unseen = countUnseen(program, () => !this.#hurried);
    if (unseen === undefined) return;
    this.#unseen = unseen.sessions;
    this.#unseenAtMost = unseen.isBound;
  }

  /**
   * All that is in the ring, and before it in rings of earlier programs.
   * @param end position in the ring at which reading stops
   * @returns whether there was something
   */
  *#read(end = Infinity): Generator<SessionBatch, boolean, void> {
    let found = false;
    for (const old of this.#kernel.oldRings.splice(0)) {
      do {
        found = (yield* this.#readRing(old.ring, Infinity, old.translation)) || found;
        if (this.#disposed) return found;
      } while (old.release());
      if (old.waitingReports !== undefined) yield* this.#take(old.waitingReports, EVER);
      if (this.#disposed) return found;
      for (const [counter, lost] of old.losses) this.#add(BSS[counter], lost);
      old.done = true;
      old[Symbol.dispose]();
    }
    return (yield* this.#readRing(this.#kernel.ring, end)) || found;
  }

  /** A batch leaves the ring when the next one is asked for: it is stored elsewhere by then. */
  *#readRing(
    ring: Ring,
    end: number,
    translation?: RecordTranslation,
  ): Generator<SessionBatch, boolean, void> {
    let found = false;
    while (!this.#disposed && ring.position < end) {
      const batch = this.#reader.read(ring, translation);
      if (batch === undefined) {
        ring.release(); // frees discarded records, which would seem to wait
        break;
      }
      found = true;
      if (batch.length > 0) yield batch;
      else batch[Symbol.dispose]();
      if (!this.#disposed) ring.release();
    }
    return found;
  }

  /** Delivers reports that wait for their sockets' close, of sessions that ended by `time`. */
  *#take(reports: WaitingReports, time: bigint): Generator<SessionBatch, void, void> {
    for (const taken of reports.take(time)) {
      const batch = this.#reader.batchOf(taken);
      if (batch.length > 0) yield batch;
      else batch[Symbol.dispose]();
      if (this.#disposed) return; // perhaps not delivered: a pinned map keeps it
    }
  }

  /** Takes over options, except those for the kernel program. */
  #apply(options: CaptureOptions): void {
    this.#interimDue = false; // it was due by the old options
    this.#reportOpenOnExit = options.reportOpenOnExit ?? false;
    this.#timers.dispose();
    this.#timers = new DisposableStack();
    if (options.interim !== undefined) {
      const timer = setInterval(() => {
        this.#interimDue = true;
        this.#wake();
      }, Math.min(options.interim, MOST_INTERVAL_MS));
      this.#timers.defer(() => clearInterval(timer));
    }
    if (options.excludeCgroups !== undefined && options.excludeCgroups.length > 0) {
      const { excludedCgroups } = this.#kernel.program;
      const timer = setInterval(() => excludedCgroups.refresh(), CGROUP_REFRESH_MS);
      this.#timers.defer(() => clearInterval(timer));
    }
  }

  /** Also handles what is asked for meanwhile. */
  async #reconfigure(): Promise<void> {
    const waiting = this.#reconfigurations;
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      await this.#use(next.options, next.output).then(next.resolve, next.reject);
    }
  }

  async #use(
    options: CaptureOptions,
    output: number | undefined,
  ): Promise<readonly Omission[]> {
    const known = new Set(this.omissions.map(({ part }) => part));
    await this.#kernel.replace(options);
    this.#output = output;
    this.#sampledOutBefore += this.#reader.selection.sampledOut;
    this.#reader.selection = new Selection(options);
    this.#apply(options);
    const poller = this.#poller;
    this.#poller = this.#watch();
    await poller[Symbol.asyncDispose]();
    return this.omissions.filter(({ part }) => !known.has(part));
  }

  /** Waits for what the reader reacts to. */
  #watch(): Poller {
    const interests: Interest[] = [];
    interests[Event.Ring] = { fd: this.#kernel.ring.fd, until: "readable" };
    interests[Event.ClockStep] = { fd: this.#clockSteps.fd, until: "readable" };
    if (this.#output !== undefined) {
      interests[Event.Hangup] = { fd: this.#output, until: "hangup" };
    }
    return new Poller(interests);
  }

  #add(counter: number, more: bigint): void {
    const { program } = this.#kernel;
    program.set(counter, program.get(counter) + more);
  }

  #wake(): void {
    this.#poller.wake();
    this.#wakeSleeper();
  }

  /** Handles the poller's events, except the ring's. */
  #react(): void {
    if (this.#disposed) return;
    if (this.#poller.ready(Event.ClockStep)) {
      this.#clockSteps.clear();
      this.#clock.step();
    }
    if (this.#output !== undefined && this.#poller.ready(Event.Hangup)) this.stop();
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

/** Resolves when programs that run just now have ended. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
}

function hasEnded(): HostError {
  return new HostError("cannot change the options of a capture that has ended");
}
