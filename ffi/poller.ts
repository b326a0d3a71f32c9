/** One wait over several descriptors, off the main thread. */
import { check, libc } from "./libc.ts";
import { O_CLOEXEC, O_NONBLOCK } from "./open_flags.ts";

const POLLIN = 0x001;
const POLLERR = 0x008;
const POLLHUP = 0x010;
const POLLNVAL = 0x020;
const POLLFD_SIZE = 8; // struct pollfd: int fd, short events, short revents

/** What to wait for on a descriptor. */
export interface Interest {
  readonly fd: number;
  /** `readable`: there is something to read. `hangup`: the other end of a pipe has gone. */
  readonly until: "readable" | "hangup";
}

/**
 * poll(2) on a fixed set of descriptors. An idle process sleeps in it with no timer; `wake()` ends
 * the wait from the event loop.
 */
export class Poller implements AsyncDisposable {
  readonly #fds: DataView<ArrayBuffer>;
  readonly #count: number;
  readonly #wakeFd: number;
  #pending: Promise<number> | undefined;
  #closed = false;

  constructor(interests: readonly Interest[]) {
    this.#wakeFd = check("cannot make an eventfd", libc().eventfd(0, O_CLOEXEC | O_NONBLOCK));
    this.#count = interests.length + 1;
    this.#fds = new DataView(new ArrayBuffer(this.#count * POLLFD_SIZE));
    const all: Interest[] = [...interests, { fd: this.#wakeFd, until: "readable" }];
    all.forEach(({ fd, until }, index) => {
      this.#fds.setInt32(index * POLLFD_SIZE, fd, true);
      // POLLERR and POLLHUP are always reported
      this.#fds.setInt16(index * POLLFD_SIZE + 4, until === "readable" ? POLLIN : 0, true);
    });
  }

  /** Resolves when a descriptor is ready, after `wake()`, or after a signal. One wait at a time. */
  async wait(): Promise<void> {
    this.#pending = libc().poll(this.#fds.buffer, BigInt(this.#count), -1);
    const ready = await this.#pending;
    this.#pending = undefined;
    if (ready < 0) { // interrupted by a signal: nothing was written
      for (let i = 0; i < this.#count; i++) this.#fds.setInt16(i * POLLFD_SIZE + 6, 0, true);
      return;
    }
    if (this.ready(this.#count - 1)) libc().read(this.#wakeFd, new BigUint64Array(1), 8n);
  }

  /** Whether the descriptor at `index` was ready when the last wait ended. */
  ready(index: number): boolean {
    const events = this.#fds.getInt16(index * POLLFD_SIZE + 6, true);
    return (events & (POLLIN | POLLERR | POLLHUP | POLLNVAL)) !== 0;
  }

  /** Ends a wait that is under way, or the next one. Does nothing after disposal. */
  wake(): void {
    if (this.#closed) return; // the descriptor may belong to something else by now
    libc().write(this.#wakeFd, new BigUint64Array([1n]), 8n);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.wake();
    this.#closed = true;
    await this.#pending;
    check("cannot close an eventfd", libc().close(this.#wakeFd));
  }
}
