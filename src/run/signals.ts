/** The signals of a run. */

// timeout(1) sends one to its child and one to the child's group, within microseconds
const SAME_REQUEST_MS = 50;

/** Listens for SIGINT and SIGTERM. Disposing gives them their default effect back. */
export class EndSignals implements Disposable {
  static readonly #NAMES = ["SIGINT", "SIGTERM"] as const;
  readonly #stop = new AbortController();
  readonly #leave = new AbortController();
  readonly #listener = () => this.#receive();
  #timer: ReturnType<typeof setTimeout> | undefined; // since the first signal
  #isNext = false; // whether another signal is a request of its own

  constructor() {
    for (const name of EndSignals.#NAMES) Deno.addSignalListener(name, this.#listener);
  }

  /** Aborts at the first signal: the run must deliver what it has, and end. */
  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  /** Aborts at the second: the run must end at once. */
  get leave(): AbortSignal {
    return this.#leave.signal;
  }

  /** Ends the run as the first signal does; a signal that comes later still counts as the first. */
  requestStop(): void {
    this.#stop.abort();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const name of EndSignals.#NAMES) Deno.removeSignalListener(name, this.#listener);
  }

  #receive(): void {
    this.#stop.abort();
    if (this.#isNext) this.#leave.abort();
    // in two steps: if the program is busy for longer, a signal that came in time is heard first
    this.#timer ??= setTimeout(() => {
      this.#timer = setTimeout(() => this.#isNext = true);
    }, SAME_REQUEST_MS);
  }
}

/** Calls `then` at each `signal`, in place of its default effect, until disposed of. */
export function onSignal(signal: Deno.Signal, then: () => void): Disposable {
  Deno.addSignalListener(signal, then);
  return { [Symbol.dispose]: () => Deno.removeSignalListener(signal, then) };
}
