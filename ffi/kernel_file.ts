/**
 * Files that the kernel makes up, below /proc and /sys. Deno itself opens none there without
 * `--allow-all`, not even with `--allow-read`; libc does.
 */
import { check, libc, toCString } from "./libc.ts";
import { openFile } from "./open_file.ts";

const CHUNK = 16 * 1024;
const DT_DIR = 4;
// struct linux_dirent64: u64 d_ino, s64 d_off, unsigned short d_reclen, unsigned char d_type, name
const ENTRY = { inode: 0, length: 16, type: 18, name: 19 } as const;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const chunk = new Uint8Array(CHUNK);

/** What is in a folder. */
export interface FolderEntry {
  /** `.` and `..` among them. */
  readonly name: string;
  /** The kernel counts those of cgroups up from 1: they are exact as bigints. */
  readonly inode: bigint;
  readonly isDirectory: boolean;
}

/**
 * The text of a file; bytes that are not UTF-8 become U+FFFD.
 * @param most bytes that are read, give or take 16 KiB: a file that other processes write may have
 * no end
 * @throws {SystemError}
 */
export function readKernelFile(path: string, most = Infinity): string {
  using file = openFile(path);
  const parts: Uint8Array[] = [];
  for (let total = 0; total < most;) {
    const length = check(`cannot read ${path}`, libc().read(file.fd, chunk, BigInt(CHUNK)));
    if (length === 0) break;
    total += length;
    parts.push(chunk.slice(0, length));
  }
  if (parts.length <= 1) return decoder.decode(parts[0]);
  const stream = new TextDecoder("utf-8", { ignoreBOM: true }); // a character may lie in two parts
  return parts.map((part) => stream.decode(part, { stream: true })).join("") + stream.decode();
}

/** The target of a symbolic link, cut at 16 KiB. @throws {SystemError} */
export function readKernelLink(path: string): string {
  const result = libc().readlink(toCString(path), chunk, BigInt(CHUNK));
  return decoder.decode(chunk.subarray(0, check(`cannot read the link ${path}`, result)));
}

/** What is in a folder. @throws {SystemError} */
export function listKernelFolder(path: string): FolderEntry[] {
  using folder = openFile(path);
  const view = new DataView(chunk.buffer);
  const entries: FolderEntry[] = [];
  for (;;) {
    const result = libc().getdents64(folder.fd, chunk, BigInt(CHUNK));
    const end = check(`cannot list ${path}`, result);
    if (end === 0) return entries;
    for (let at = 0; at < end; at += view.getUint16(at + ENTRY.length, true)) {
      const name = at + ENTRY.name;
      entries.push({
        name: decoder.decode(chunk.subarray(name, chunk.indexOf(0, name))),
        inode: view.getBigUint64(at + ENTRY.inode, true),
        isDirectory: view.getUint8(at + ENTRY.type) === DT_DIR,
      });
    }
  }
}
