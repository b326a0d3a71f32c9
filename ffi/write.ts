/**
 * Writes that report how much they wrote. Deno's own, to stdout, keep a part of the bytes in a
 * buffer; and if a disk or a pipe gets full midway they fail, without saying how many were written.
 */
import { constants } from "node:os";
import { errorText, lastErrno, libc } from "./libc.ts";

const { EAGAIN, ECONNRESET, EPIPE } = constants.errno;

const PIPE_BUF = 4096;
const POLLOUT = 0x004;

/**
 * Writes some of the bytes, the first ones, without making this thread wait. Do not change the
 * bytes until it resolves.
 * @returns how many
 * @throws {Deno.errors.WouldBlock}, {Deno.errors.BrokenPipe}, {Deno.errors.ConnectionReset}, or an
 * Error that gives the reason
 */
export async function writeSome(fd: number, bytes: Uint8Array<ArrayBuffer>): Promise<number> {
  const written = Number(await libc().write_elsewhere(fd, bytes, BigInt(bytes.length)));
  if (written >= 0) return written;
  // errno belongs to another thread: a write that failed at once fails at once again, or succeeds
  // now. This thread must not wait, which it would if the descriptor has become a blocking one
  // meanwhile
  if (!isWritable(fd)) throw errorOf(EAGAIN);
  const few = Math.min(bytes.length, PIPE_BUF);
  const again = Number(libc().write(fd, bytes, BigInt(few)));
  if (again < 0) throw errorOf(lastErrno());
  return again;
}

/** Whether a few bytes can be written, or an error waits to be reported. */
function isWritable(fd: number): boolean {
  const pollfd = new DataView(new ArrayBuffer(8)); // struct pollfd
  pollfd.setInt32(0, fd, true);
  pollfd.setInt16(4, POLLOUT, true);
  return libc().poll_now(pollfd.buffer, 1n, 0) > 0;
}

function errorOf(errno: number): Error {
  const message = `${errorText(errno)} (os error ${errno})`;
  switch (errno) {
    case EAGAIN:
      return new Deno.errors.WouldBlock(message);
    case EPIPE:
      return new Deno.errors.BrokenPipe(message);
    case ECONNRESET:
      return new Deno.errors.ConnectionReset(message);
    default:
      return new Error(message);
  }
}
