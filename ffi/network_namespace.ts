/** Calls made in another network namespace. */
import { check, libc } from "./libc.ts";
import { openFile } from "./open_file.ts";

const CLONE_NEWNET = 0x40000000;

/**
 * Calls `act` with this thread in the network namespace that `path` names, such as `/proc/1/ns/net`
 * (setns(2)). Other threads, and asynchronous calls, stay where they are.
 * @throws {SystemError} if there is no such namespace, or it may not be entered
 */
export function inNetworkNamespace<Result>(path: string, act: () => Result): Result {
  using own = openFile("/proc/thread-self/ns/net");
  using other = openFile(path);
  enter(other.fd);
  try {
    return act();
  } finally {
    goBack(own.fd);
  }
}

/** Not a SystemError, which callers may ignore: everything that follows would go wrong. */
function goBack(fd: number): void {
  if (libc().setns(fd, CLONE_NEWNET) < 0) {
    throw new Error("cannot return to this process's network namespace");
  }
}

function enter(fd: number): void {
  check("cannot enter a network namespace", libc().setns(fd, CLONE_NEWNET));
}
