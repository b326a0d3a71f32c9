/** Paths as a process with another root would follow them: openat2(2). */
import { constants } from "node:os";
import { lastErrno, libc, toCString } from "./libc.ts";
import type { OpenFile } from "./open_file.ts";
import { O_CLOEXEC, O_PATH } from "./open_flags.ts";

const { EAGAIN, EINVAL } = constants.errno;

const SYS_OPENAT2 = 437n; // on every architecture but alpha
// include/uapi/linux/openat2.h
const NO_XDEV = 0x01;
const NO_MAGICLINKS = 0x02;
const IN_ROOT = 0x10;
const CACHED = 0x20; // Linux 5.12; until then EINVAL

/** `struct open_how`: u64 flags, mode, resolve. */
const howTo = (resolve: number) =>
  BigUint64Array.of(BigInt(O_PATH | O_CLOEXEC), 0n, BigInt(IN_ROOT | NO_MAGICLINKS | resolve));

// Neither waits for another file system, which may be that of a dead server: the first takes what
// the kernel remembers, on any of them; the second stays on the root's, though older kernels
// automount before they refuse. Links of an overlayfs, and links whose time of access is to be
// written, are for the second alone.
const WAYS = [howTo(CACHED), howTo(NO_XDEV)];

/**
 * Opens what `path` leads to, for its identity and path alone (O_PATH), with the folder `root` as
 * the root of the path and its links. Links of /proc to what is open lead nowhere.
 * @returns undefined if it is not there, may not be seen, or another file system would be asked
 */
export function openInRoot(root: number, path: string): OpenFile | undefined {
  const text = toCString(path);
  for (const how of WAYS) {
    const fd = Number(libc().openat2(SYS_OPENAT2, root, text, how, BigInt(how.byteLength)));
    if (fd >= 0) return { fd, [Symbol.dispose]: () => void libc().close(fd) };
    if (![EAGAIN, EINVAL].includes(lastErrno())) return undefined;
  }
  return undefined;
}
