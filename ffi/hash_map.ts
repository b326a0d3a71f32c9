/** A BPF hash map, read in batches. */
import { libbpf } from "./libbpf.ts";
import { SystemError } from "./libc.ts";
import { mapInfo } from "./pinned.ts";

const ENOENT = 2;
const E2BIG = 7;
const ENOSPC = 28;
const AT_ONCE = 512; // entries

/** Entries of a hash map, one behind the other. */
export interface Entries {
  readonly count: number;
  readonly keys: Uint8Array<ArrayBuffer>;
  readonly values: Uint8Array<ArrayBuffer>;
}

/** A map whose keys have 8 bytes. The descriptor belongs to whom it came from. */
export class HashMap {
  readonly #fd: number;
  readonly #valueSize: number;

  constructor(fd: number) {
    this.#fd = fd;
    this.#valueSize = mapInfo(fd).valueSize;
  }

  /** Bytes of a value. */
  get valueSize(): number {
    return this.#valueSize;
  }

  /**
   * All entries, some at once; those that come and go meanwhile may be among them.
   * @throws {SystemError}
   */
  *entries(): Generator<Entries, void, void> {
    let most = AT_ONCE;
    let from: Uint8Array<ArrayBuffer> | null = null; // the beginning
    for (;;) {
      const keys = new Uint8Array(most * 8);
      const values = new Uint8Array(most * this.#valueSize);
      const next = new Uint8Array(8); // where to go on: the kernel takes as many bytes as a key has
      const count = Uint32Array.of(most);
      const code = libbpf().bpf_map_lookup_batch(this.#fd, from, next, keys, values, count, null);
      if (code === -ENOSPC) { // more than that have the same hash
        most *= 2;
        continue;
      }
      if (code < 0 && code !== -ENOENT) throw new SystemError("cannot read a map", -code);
      yield { count: count[0] ?? 0, keys, values };
      if (code === -ENOENT) return;
      from = next;
    }
  }

  /** Puts an entry in. @returns false if there is no room. @throws {SystemError} */
  put(key: Uint8Array<ArrayBuffer>, value: Uint8Array<ArrayBuffer>): boolean {
    const code = libbpf().bpf_map_update_elem(this.#fd, key, value, 0n);
    if (code === -E2BIG) return false;
    if (code < 0) throw new SystemError("cannot add to a map", -code);
    return true;
  }

  /** Takes an entry out. @returns whether it was there. @throws {SystemError} */
  delete(key: Uint8Array<ArrayBuffer>): boolean {
    const code = libbpf().bpf_map_delete_elem(this.#fd, key);
    if (code < 0 && code !== -ENOENT) throw new SystemError("cannot take from a map", -code);
    return code >= 0;
  }
}
