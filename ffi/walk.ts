/** One walk of an iterator program over what it iterates. */
import { constants } from "node:os";
import { libbpf } from "./libbpf.ts";
import { check, lastErrno, libc, SystemError } from "./libc.ts";

const CHUNK = 4096; // bytes

/** bpf_iter_create(2)'s descriptor: each read runs the program on more objects. */
export class Walk implements Disposable {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Begins to walk with the iterator program that a link attached. */
  static of(link: number): Walk {
    return new Walk(check("cannot walk sockets", libbpf().bpf_iter_create(link)));
  }

  /**
   * Runs until the program has written `most` bytes, or to the end.
   * @returns number of bytes written; 0 at the end. @throws {SystemError}
   */
  next(most: number): number {
    const buffer = new Uint8Array(most);
    while (true) {
      const written = Number(libc().read(this.#fd, buffer, BigInt(most)));
      if (written >= 0) return written;
      // a million objects without output (bpf_seq_read): there are more
      const errno = lastErrno();
      if (errno !== constants.errno.EAGAIN) throw new SystemError("cannot walk sockets", errno);
    }
  }

  /**
   * Runs to the end, and closes.
   * @returns whether the program wrote anything. @throws {SystemError}
   */
  finish(): boolean {
    using _owned = this;
    let written = false;
    while (this.next(CHUNK) > 0) written = true;
    return written;
  }

  [Symbol.dispose](): void {
    libc().close(this.#fd);
  }
}
