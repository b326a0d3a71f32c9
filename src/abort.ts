/** Work that a signal cuts short. */
import { type Clock, systemClock } from "./clock.ts";

/** The result of `work`, unless `signal` aborts first: then it rejects with the signal's reason. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/**
 * A signal that aborts with `late` after `ms` milliseconds, unless disposed of before. Until then it
 * keeps the program running: Deno ends a program that only waits for what never settles.
 */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(ms: number, late: Error) {
    this.#timer = setTimeout(() => this.#controller.abort(late), ms);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

/** As {@linkcode unlessAborted}, but rejects with `late` after `ms` milliseconds. */
export async function within<T>(
  ms: number,
  late: Error,
  work: Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  using deadline = new Deadline(ms, late);
  return await unlessAborted(unlessAborted(work, deadline.signal), signal);
}

/** Calls `then` when `signal` aborts, or at once if it already has, unless disposed of before. */
export function onAbort(signal: AbortSignal, then: () => void): Disposable {
  if (signal.aborted) then();
  signal.addEventListener("abort", then);
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", then) };
}

/** Resolves after `ms` milliseconds, or when `signal` aborts. */
export function delay(ms: number, signal: AbortSignal, clock: Clock = systemClock): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      timer[Symbol.dispose]();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = clock.setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
