/** BPF maps, by their descriptors. */
import { constants } from "node:os";
import { libbpf } from "./libbpf.ts";
import { SystemError } from "./libc.ts";

const { EBUSY, EDEADLK, ENOENT, ETIMEDOUT } = constants.errno;
const MOST_TRIES = 1000;

// struct bpf_map_info, include/uapi/linux/bpf.h
const MAP_INFO = { size: 24, type: 0, valueSize: 12, maxEntries: 16 } as const;
const BPF_MAP_TYPE_HASH = 1;

type Bytes = Uint8Array<ArrayBuffer>;

/** What a map is. */
export interface MapInfo {
  readonly isHash: boolean;
  /** Bytes of a value. */
  readonly valueSize: number;
  /** How many values there are at most; of a ring its bytes. */
  readonly maxEntries: number;
}

/** @throws {SystemError} */
export function mapInfo(fd: number): MapInfo {
  const info = new DataView(new ArrayBuffer(MAP_INFO.size));
  const code = libbpf().bpf_obj_get_info_by_fd(fd, info.buffer, new Uint32Array([MAP_INFO.size]));
  if (code < 0) throw new SystemError("cannot look at a map", -code);
  return {
    isHash: info.getUint32(MAP_INFO.type, true) === BPF_MAP_TYPE_HASH,
    valueSize: info.getUint32(MAP_INFO.valueSize, true),
    maxEntries: info.getUint32(MAP_INFO.maxEntries, true),
  };
}

/**
 * Reads the value of a key. Both must have the map's lengths.
 * @returns whether the key is there. @throws {SystemError}
 */
export function lookUp(fd: number, key: Bytes, value: Bytes): boolean {
  const code = patiently(() => libbpf().bpf_map_lookup_elem(fd, key, value));
  if (code < 0 && code !== -ENOENT) throw new SystemError("cannot read a map", -code);
  return code >= 0;
}

/**
 * Removes a key, if it is there. @returns whether it was. @throws {SystemError} that `attempt`
 * failed
 */
export function removeEntry(attempt: string, fd: number, key: Bytes): boolean {
  const code = patiently(() => libbpf().bpf_map_delete_elem(fd, key));
  if (code < 0 && code !== -ENOENT) throw new SystemError(attempt, -code);
  return code >= 0;
}

/**
 * Calls again while a program holds the lock of the same part of a hash map: kernel/bpf/hashtab.c,
 * htab_lock_bucket(), returns EBUSY, since 6.15 EDEADLK or ETIMEDOUT.
 * @param call returns a negative errno if it fails
 */
export function patiently(call: () => number): number {
  let code = call();
  for (let i = 0; i < MOST_TRIES && [-EBUSY, -EDEADLK, -ETIMEDOUT].includes(code); i++) {
    code = call();
  }
  return code;
}
