/** Whole lines on an output that may fail in the middle of one. */
import { delay, unlessAborted } from "../../src/abort.ts";
import { LINE_END } from "./format.ts";

/** What became of lines that could not all be written. */
export interface Cut {
  /** Why. */
  readonly error: unknown;
  /** Lines from the start that were written whole, as far as is known. */
  readonly whole: number;
  /** Resolves when the one that was cut off is finished; undefined if none was. */
  readonly unfinished: Promise<void> | undefined;
}

/** Writes some of the bytes and returns how many; none if it rejects. */
export type WriteSome = (bytes: Uint8Array<ArrayBuffer>) => Promise<number>;

const FULL_PIPE_WAIT_MS = 5;
const LAST_TRY_MS = 100;
const NOTHING = new Uint8Array();

/**
 * An output that several writers share, one at a time. A line that a failed write cut off, as on a
 * full disk, is finished before anything else is written: nothing can be taken back from a pipe,
 * nor from a file that others append to.
 */
export class LineOutput {
  readonly #write: WriteSome;
  #last: Promise<unknown> = Promise.resolve(); // settles when no write is under way
  #writers = 0; // at work, or waiting for their turns
  #rest: Uint8Array<ArrayBuffer> = NOTHING; // of the line that was cut off
  #finished: (() => void) | undefined; // resolves `unfinished` of that line

  constructor(write: WriteSome) {
    this.#write = write;
  }

  /**
   * Writes lines. They must not change until it resolves, or ever if `signal` has aborted: a write
   * that is under way then continues, and others wait for it.
   * @returns what was cut, if anything was
   */
  async print(lines: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<Cut | undefined> {
    this.#writers++;
    const printing = this.#last.then(() => this.#print(lines, signal))
      .finally(() => this.#writers--);
    this.#last = printing;
    try {
      return await unlessAborted(printing, signal);
    } catch (error) {
      return { error, whole: 0, unfinished: undefined };
    }
  }

  /** Tries to finish the line that was cut off, if there is one and no write is waiting to. */
  async finish(): Promise<void> {
    if (this.#rest.length === 0 || this.#writers > 0) return;
    await this.print(NOTHING, AbortSignal.timeout(LAST_TRY_MS));
  }

  async #print(lines: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<Cut | undefined> {
    let at = 0;
    try {
      while (this.#rest.length > 0) {
        this.#rest = this.#rest.subarray(await this.#writeSome(this.#rest, signal));
      }
      this.#endLine();
      while (at < lines.length) at += await this.#writeSome(lines.subarray(at), signal);
      return undefined;
    } catch (error) {
      return this.#cut(lines, at, error);
    }
  }

  /** Counts lines whose first `at` bytes were written, and keeps the rest of the last one. */
  #cut(lines: Uint8Array<ArrayBuffer>, at: number, error: unknown): Cut {
    let whole = 0;
    let begin = 0; // of the line that was cut off
    for (let end = lines.indexOf(LINE_END); end !== -1 && end < at;) {
      whole++;
      begin = end + 1;
      end = lines.indexOf(LINE_END, begin);
    }
    if (isReaderGone(error)) { // what nobody will see counts as written
      this.#rest = NOTHING;
      this.#endLine();
    } else if (begin < at) {
      // a copy: the lines are valid until the next ones are made
      this.#rest = lines.slice(at, lines.indexOf(LINE_END, at) + 1);
      const { promise: unfinished, resolve } = Promise.withResolvers<void>();
      this.#finished = resolve;
      return { error, whole, unfinished };
    }
    return { error, whole, unfinished: undefined };
  }

  #endLine(): void {
    this.#finished?.();
    this.#finished = undefined;
  }

  /** Writes what the reader takes; waits while it takes nothing. */
  async #writeSome(bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    try {
      return await this.#write(bytes);
    } catch (error) {
      // a full pipe that another process set O_NONBLOCK on
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      await delay(FULL_PIPE_WAIT_MS, signal);
      return 0;
    }
  }
}

/** Whether a pipe has no reader, or a socket's other end was closed. */
export function isReaderGone(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset;
}
