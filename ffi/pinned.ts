/** Maps and links that stay in the kernel, by paths in a BPF file system (bpffs). */
import { constants } from "node:os";
import { libbpf } from "./libbpf.ts";
import { check, lastErrno, libc, SystemError, toCString } from "./libc.ts";
import { openFile } from "./open_file.ts";
import { O_DIRECTORY } from "./open_flags.ts";

const { ENOENT, EWOULDBLOCK } = constants.errno;
const F_OK = 0;
const LOCK_EX_NB = 2 | 4;
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
// struct statx, include/uapi/linux/stat.h: the same everywhere; STATX_TYPE, MODE and UID
const STATX = { size: 256, mask: 0x0b, uid: 20, mode: 28 } as const;
const BPF_FS_MAGIC = 0xcafe4a11; // include/uapi/linux/magic.h
const STATFS_SIZE = 120; // of struct statfs, whose first member is the type
const BPF_MAP_TYPE_ARRAY = 2; // include/uapi/linux/bpf.h

/** Whether `path`, which must exist, lies in a BPF file system. */
export function isBpfFileSystem(path: string): boolean {
  const statfs = new DataView(new ArrayBuffer(STATFS_SIZE));
  check(`cannot look at ${path}`, libc().statfs(toCString(path), new Uint8Array(statfs.buffer)));
  return statfs.getUint32(0, true) === BPF_FS_MAGIC;
}

/** Whether something is at `path`. @throws {SystemError} if that cannot be found out */
export function exists(path: string): boolean {
  if (libc().access(toCString(path), F_OK) === 0) return true;
  const errno = lastErrno();
  if (errno === ENOENT) return false;
  throw new SystemError(`cannot look at ${path}`, errno);
}

/** The owner of the file at `path`, and who may write to it. Does not follow a symbolic link. */
export function statusOf(
  path: string,
): { readonly isFolder: boolean; readonly owner: number; readonly mode: number } {
  const statx = new DataView(new ArrayBuffer(STATX.size));
  const buffer = new Uint8Array(statx.buffer);
  const code = libc().statx(AT_FDCWD, toCString(path), AT_SYMLINK_NOFOLLOW, STATX.mask, buffer);
  check(`cannot look at ${path}`, code);
  const mode = statx.getUint16(STATX.mode, true);
  return {
    isFolder: (mode & S_IFMT) === S_IFDIR,
    owner: statx.getUint32(STATX.uid, true),
    mode: mode & ~S_IFMT,
  };
}

/** Makes a folder that only its owner may use. @throws {SystemError} */
export function makeFolder(path: string): void {
  check(`cannot make ${path}`, libc().mkdir(toCString(path), 0o700));
}

/** Removes a folder that is empty. @throws {SystemError} */
export function removeFolder(path: string): void {
  check(`cannot remove ${path}`, libc().rmdir(toCString(path)));
}

/**
 * Removes a path of something pinned, which ends with its last path and descriptor.
 * @throws {SystemError}
 */
export function removePin(path: string): void {
  check(`cannot remove ${path}`, libc().unlink(toCString(path)));
}

/**
 * Locks a folder until disposed of, against other processes that lock it (flock(2)); undefined if
 * another one holds it. @throws {SystemError} if it cannot be opened
 */
export function lockFolder(path: string): Disposable | undefined {
  const folder = openFile(path, O_DIRECTORY);
  if (libc().flock(folder.fd, LOCK_EX_NB) === 0) return folder;
  const errno = lastErrno();
  folder[Symbol.dispose]();
  if (errno === EWOULDBLOCK) return undefined;
  throw new SystemError(`cannot lock ${path}`, errno);
}

/** Keeps a map or a link as long as `path` exists. @throws {SystemError} */
export function pin(fd: number, path: string): void {
  const code = libbpf().bpf_obj_pin(fd, toCString(path));
  if (code < 0) throw new SystemError(`cannot pin ${path}`, -code);
}

/** Pins a map of four bytes and removes it again. @throws {SystemError} if it cannot */
export function tryPin(path: string): void {
  const fd = libbpf().bpf_map_create(BPF_MAP_TYPE_ARRAY, null, 4, 4, 1, null);
  if (fd < 0) throw new SystemError("cannot make a map", -fd);
  try {
    pin(fd, path);
    removePin(path);
  } finally {
    libc().close(fd);
  }
}

/** A descriptor of what is pinned, closed when disposed of. */
export class Pinned implements Disposable {
  readonly fd: number;

  /** @throws {SystemError} if nothing is pinned there */
  constructor(path: string) {
    const fd = libbpf().bpf_obj_get(toCString(path));
    if (fd < 0) throw new SystemError(`cannot open ${path}`, lastErrno());
    this.fd = fd;
  }

  [Symbol.dispose](): void {
    libc().close(this.fd);
  }
}
