/** A capture of records, as programs get it; loaded only if a program captures. */
import { Capture as RecordCapture, type CaptureLosses } from "../capture/capture.ts";
import type { CaptureOptions } from "../capture/capture_options.ts";
import type { Omission } from "../capture/omission.ts";
import { BatchView, type SessionBatch } from "./batch.ts";
import type { Capture } from "./capture.ts";
import { checkCaptureOptions } from "./check_options.ts";

/** As `capture()`. */
export async function openCapture(options: CaptureOptions): Promise<Capture> {
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
  #last: Reading | undefined; // set once it is disposed of

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
