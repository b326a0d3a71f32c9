/** What signals do to this process. */
import { constants } from "node:os";
import { check, lastErrno, libc, SystemError } from "./libc.ts";

const SIG_IGN = 1n;
const SIG_ERR = 2n ** 64n - 1n;
const SIG_SETMASK = 2;
const SIGSET_SIZE = 128; // of glibc's sigset_t

/**
 * Makes the kernel discard a signal for as long as this process lives. For SIGUSR1 a listener in
 * Deno is not enough: Deno still opens its debugger, on a port of this host, through which any
 * local user could run any code in a privileged process.
 * @throws {SystemError}
 */
export function ignoreSignal(name: "SIGUSR1" | "SIGXFSZ"): void {
  // Deno takes over a signal once, SIGUSR1 half a second after the start: this makes it do so now,
  // so that it does not undo what follows. The listener stays, for a signal that Deno has taken and
  // not yet passed on
  Deno.addSignalListener(name, () => {});
  const before = libc().signal(constants.signals[name], Deno.UnsafePointer.create(SIG_IGN));
  if (Deno.UnsafePointer.value(before) === SIG_ERR) {
    throw new SystemError(`cannot ignore ${name}`, lastErrno());
  }
}

/** Calls `act` while this thread gets no signals: the process's other threads get them. */
export function withoutSignals<Result>(act: () => Result): Result {
  const before = new Uint8Array(SIGSET_SIZE);
  setMask(new Uint8Array(SIGSET_SIZE).fill(0xff), before);
  try {
    return act();
  } finally {
    setMask(before, null);
  }
}

/** On Linux sigprocmask(2) affects only the calling thread. */
function setMask(mask: Uint8Array<ArrayBuffer>, before: Uint8Array<ArrayBuffer> | null): void {
  check("cannot block signals", libc().sigprocmask(SIG_SETMASK, mask, before));
}
