/** A capture, as programs get it. */
import { Capture as RecordCapture, type CaptureLosses } from "../capture/capture.ts";
import type { CaptureOptions } from "../capture/capture_options.ts";
import type { Omission } from "../capture/omission.ts";
import { BatchView, type SessionBatch } from "./batch.ts";
import { checkCaptureOptions } from "./check_options.ts";

/** Sessions as they end. Iterate over it once; dispose of it to detach what is not pinned. */
export interface Capture extends AsyncIterable<SessionBatch>, AsyncDisposable {
  /** Ends the iteration once what is in the ring has been delivered. */
  stop(): void;
  /** What was lost until now, also after the end. */
  losses(): CaptureLosses;
  /** Sessions, and reports of open ones, that sampling left out until now. */
  readonly sampledOut: number;
  /** What it goes on without, since the host refused it. */
  readonly omissions: readonly Omission[];
}

/**
 * Starts a capture of the TCP sessions that end on this host, in all network namespaces. Needs Linux
 * 5.11 or later, libbpf 1.x, and root. A session on this host has two ends, each of which is
 * delivered. A batch is given up when the next one is asked for: see {@linkcode Session.toObject}.
 *
 * @throws {UsageError} if an option is unknown or wrong, {HostError} if the kernel or the host makes
 * it impossible
 *
 * @example Print the port and the payload of each session that ends within a tenth of a second
 * ```ts
 * import { capture } from "@tcpspan/tcpspan";
 *
 * await using sessions = await capture({ signal: AbortSignal.timeout(100) });
 * for await (const batch of sessions) {
 *   for (const session of batch) {
 *     console.log(session.comm, session.serverPort, session.txBytes, session.rxBytes);
 *   }
 * }
 * ```
 */
export async function capture(options: CaptureOptions = {}): Promise<Capture> {
  checkCaptureOptions(options);
  return new CaptureView(await RecordCapture.open(options));
}

/** What can be read after the end, too. */
interface Reading {
  readonly losses: CaptureLosses;
  readonly sampledOut: number;
  readonly omissions: readonly Omission[];
}

class CaptureView implements Capture {
  readonly #capture: RecordCapture;
  #iterated = false;
  #last: Reading | undefined; // once disposed of

  constructor(capture: RecordCapture) {
    this.#capture = capture;
  }

  stop(): void {
    if (this.#last === undefined) this.#capture.stop();
  }

  losses(): CaptureLosses {
    return (this.#last ?? this.#read()).losses;
  }

  get sampledOut(): number {
    return (this.#last ?? this.#read()).sampledOut;
  }

  get omissions(): readonly Omission[] {
    return (this.#last ?? this.#read()).omissions;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SessionBatch, void, void> {
    if (this.#iterated) throw new TypeError("cannot iterate over a capture a second time");
    this.#iterated = true;
    if (this.#last !== undefined) return;
    for await (const records of this.#capture) {
      using batch = new BatchView(records);
      yield batch;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#last ??= this.#read();
    await this.#capture[Symbol.asyncDispose]();
  }

  #read(): Reading {
    return {
      losses: this.#capture.losses(),
      sampledOut: this.#capture.sampledOut,
      omissions: [...this.#capture.omissions],
    };
  }
}
