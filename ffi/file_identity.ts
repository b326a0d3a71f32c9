/** Which file a path leads to. */
import { libc, toCString } from "./libc.ts";

const AT_FDCWD = -100;
const STATX_INO = 0x100;
// struct statx, include/uapi/linux/stat.h: the same everywhere
const STATX = { size: 256, ino: 32, devMajor: 136, devMinor: 140 } as const;

const statx = new DataView(new ArrayBuffer(STATX.size));
const buffer = new Uint8Array(statx.buffer);

/**
 * Device and inode of the file at `path`, which follows links: the same text for the same file,
 * whatever its names. Undefined if it is not there, or not for us to see.
 */
export function fileIdentity(path: string): string | undefined {
  if (libc().statx(AT_FDCWD, toCString(path), 0, STATX_INO, buffer) !== 0) return undefined;
  const device = [STATX.devMajor, STATX.devMinor].map((at) => statx.getUint32(at, true));
  return [...device, statx.getBigUint64(STATX.ino, true)].join(":");
}
