/** A capture during one test, and what it delivered. */
import { strict as assert } from "node:assert";
import { bootTimeNs } from "../../ffi/clock.ts";
import type { Capture, CaptureLosses } from "../../src/capture/capture.ts";
import { capture } from "./capture.ts";
import type { CaptureOptions } from "../../src/capture/capture_options.ts";
import type { Omission } from "../../src/capture/omission.ts";
import type { Session } from "../../src/session/session.ts";

const TIMEOUT_MS = 10_000;

/** What to capture, and when to start reading the ring: at once by default. */
export interface TraceOptions extends CaptureOptions {
  readonly reading?: Promise<void>;
}

/**
 * Captures from `start()` on. Tests filter by the ports of their own listeners, so that other
 * traffic on the machine does not disturb; tests add filters of the kernel themselves.
 */
export class Trace implements AsyncDisposable {
  /** CLOCK_BOOTTIME before and after the start. */
  readonly began: { readonly before_ns: bigint; readonly after_ns: bigint };
  readonly #capture: Capture;
  readonly #sessions: Session[] = [];
  readonly #reading: Promise<void>;
  readonly #disposing = Promise.withResolvers<void>();
  #arrived = Promise.withResolvers<void>();

  private constructor(capture: Capture, began: Trace["began"], reading: Promise<void>) {
    this.#capture = capture;
    this.began = began;
    this.#reading = Promise.race([reading, this.#disposing.promise]).then(() => this.#read());
  }

  /** @throws {HostError} if this host lacks what capture needs: kernel tests never skip */
  static async start({ reading, ...options }: TraceOptions = {}): Promise<Trace> {
    const before_ns = bootTimeNs();
    const running = await capture(options);
    return new Trace(running, { before_ns, after_ns: bootTimeNs() }, reading ?? Promise.resolve());
  }

  /**
   * Waits until `count` sessions match, for a bounded time.
   * @returns whether they do
   */
  async until(count: number, matches: (session: Session) => boolean): Promise<boolean> {
    const deadline = AbortSignal.timeout(TIMEOUT_MS);
    const expired = new Promise<void>((resolve) => deadline.onabort = () => resolve());
    while (!deadline.aborted && this.#sessions.filter(matches).length < count) {
      await Promise.race([this.#arrived.promise, expired]);
    }
    deadline.onabort = null;
    return this.#sessions.filter(matches).length >= count;
  }

  /** Stops the capture. @returns all sessions that match, also the last one in the ring */
  async finish(matches: (session: Session) => boolean): Promise<Session[]> {
    this.#capture.stop();
    await this.#reading;
    return this.#sessions.filter(matches);
  }

  /** Waits until `count` sessions match; at the end there must be no more of them. */
  async take(count: number, matches: (session: Session) => boolean): Promise<Session[]> {
    await this.until(count, matches);
    const found = await this.finish(matches);
    const shown = found.slice(0, 10).map((session) => `\n  ${summary(session)}`).join("");
    assert.equal(found.length, count, `${found.length} sessions instead of ${count}${shown}`);
    return found;
  }

  /** The two ends of the one session with a listener on `port`. */
  async pair(port: number): Promise<{ client: Session; server: Session }> {
    const ends = await this.take(2, hasPort(port));
    const client = ends.find((end) => end.peerPort === port);
    const server = ends.find((end) => end.localPort === port);
    assert.ok(client !== undefined && server !== undefined, ends.map(summary).join(", "));
    return { client, server };
  }

  /** Continues with other options. */
  async reconfigure(options: CaptureOptions): Promise<void> {
    await this.#capture.reconfigure(options);
  }

  /** What the host refused. */
  get omissions(): readonly Omission[] {
    return this.#capture.omissions;
  }

  losses(): CaptureLosses {
    return this.#capture.losses();
  }

  get sampledOut(): number {
    return this.#capture.sampledOut;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposing.resolve();
    this.#capture.stop();
    await this.#reading;
    await this.#capture[Symbol.asyncDispose]();
  }

  async #read(): Promise<void> {
    for await (const batch of this.#capture) {
      this.#sessions.push(...batch);
      this.#arrived.resolve();
      this.#arrived = Promise.withResolvers();
    }
  }
}

/** Whether one of a session's ports is `port`. */
export function hasPort(
  port: number,
): (session: Pick<Session, "localPort" | "peerPort">) => boolean {
  return ({ localPort, peerPort }) => localPort === port || peerPort === port;
}

/** A session on one line, for the messages of failed tests. */
export function summary(session: Session): string {
  const { localAddress, localPort, peerAddress, peerPort, comm, pid, role, lastState } = session;
  return `${role} ${localAddress}:${localPort} -> ${peerAddress}:${peerPort} ` +
    `by ${comm} (${pid}), last ${lastState}`;
}

/** Fails unless `low` ≤ `value` ≤ `high`. */
export function assertWithin(name: string, value: bigint, low: bigint, high: bigint): void {
  assert.ok(value >= low, `${name} is ${low - value} ns too early`);
  assert.ok(value <= high, `${name} is ${value - high} ns too late`);
}
