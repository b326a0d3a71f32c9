/** Maps and links that stay in the kernel, by paths in a BPF file system (bpffs). */
import { libbpf } from "./libbpf.ts";
import { check, lastErrno, libc, SystemError, toCString } from "./libc.ts";

const BPF_FS_MAGIC = 0xcafe4a11; // include/uapi/linux/magic.h
const STATFS_SIZE = 120; // of struct statfs, whose first member is the type

/** Whether `path`, which has to exist, lies in a BPF file system. */
export function isBpfFileSystem(path: string): boolean {
  const statfs = new DataView(new ArrayBuffer(STATFS_SIZE));
  check(`cannot look at ${path}`, libc().statfs(toCString(path), new Uint8Array(statfs.buffer)));
  return statfs.getUint32(0, true) === BPF_FS_MAGIC;
}

/** Keeps a map or a link as long as `path` exists. @throws {SystemError} */
export function pin(fd: number, path: string): void {
  const code = libbpf().bpf_obj_pin(fd, toCString(path));
  if (code < 0) throw new SystemError(`cannot pin ${path}`, -code);
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

// struct bpf_map_info, include/uapi/linux/bpf.h
const MAP_INFO = { size: 24, valueSize: 12, maxEntries: 16 } as const;

/** Bytes of a map's values, and how many there are at most; of a ring its bytes. */
export function mapInfo(fd: number): { readonly valueSize: number; readonly maxEntries: number } {
  const info = new DataView(new ArrayBuffer(MAP_INFO.size));
  const code = libbpf().bpf_obj_get_info_by_fd(fd, info.buffer, new Uint32Array([MAP_INFO.size]));
  if (code < 0) throw new SystemError("cannot look at a map", -code);
  return {
    valueSize: info.getUint32(MAP_INFO.valueSize, true),
    maxEntries: info.getUint32(MAP_INFO.maxEntries, true),
  };
}

/** Reads a value of a map. The lengths of key and value have to be the map's. */
export function lookUp(
  fd: number,
  key: Uint8Array<ArrayBuffer>,
  value: Uint8Array<ArrayBuffer>,
): void {
  const code = libbpf().bpf_map_lookup_elem(fd, key, value);
  if (code < 0) throw new SystemError("cannot read a map", -code);
}
