/** Calls made in another network namespace. */
import { check, libc, toCString } from "./libc.ts";

const O_RDONLY_CLOEXEC = 0o2000000;
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

/** No SystemError, which callers may pass over: everything that follows would be amiss. */
function goBack(fd: number): void {
  if (libc().setns(fd, CLONE_NEWNET) < 0) {
    throw new Error("cannot return to the own network namespace");
  }
}

function enter(fd: number): void {
  check("cannot enter a network namespace", libc().setns(fd, CLONE_NEWNET));
}

function openFile(path: string): { readonly fd: number } & Disposable {
  const fd = check(`cannot open ${path}`, libc().open(toCString(path), O_RDONLY_CLOEXEC));
  return { fd, [Symbol.dispose]: () => void libc().close(fd) };
}
