/** A BPF hash map, read in batches. */
import { constants } from "node:os";
import { libbpf } from "./libbpf.ts";
import { SystemError } from "./libc.ts";
import { lookUp, mapInfo, patiently, removeEntry } from "./map.ts";

const { ENOENT, ENOSPC } = constants.errno;
const AT_ONCE = 512; // entries
const BPF_NOEXIST = 1n;

type Bytes = Uint8Array<ArrayBuffer>;

/** Entries of a hash map, one after the other. */
export interface Entries {
  readonly count: number;
  readonly keys: Bytes;
  readonly values: Bytes;
}

/** A map whose keys have 8 bytes. The descriptor belongs to the caller. */
export class HashMap {
  readonly #fd: number;
  /** Bytes of a value. */
  readonly valueSize: number;

  constructor(fd: number) {
    this.#fd = fd;
    this.valueSize = mapInfo(fd).valueSize;
  }

  /**
   * All entries, in batches. Entries that come or go meanwhile may be among them.
   * @throws {SystemError}
   */
  *entries(): Generator<Entries, void, void> {
    let most = AT_ONCE;
    let from: Bytes | null = null; // the beginning
    for (;;) {
      const keys = new Uint8Array(most * 8);
      const values = new Uint8Array(most * this.valueSize);
      const next = new Uint8Array(8); // where the next batch starts: of a key's size
      const count = Uint32Array.of(most);
      const code = patiently(() => {
        count[0] = most;
        return libbpf().bpf_map_lookup_batch(this.#fd, from, next, keys, values, count, null);
      });
      if (code === -ENOSPC) { // more entries than that have the same hash
        most *= 2;
        continue;
      }
      if (code < 0 && code !== -ENOENT) throw new SystemError("cannot read a map", -code);
      yield { count: count[0] ?? 0, keys, values };
      if (code === -ENOENT) return;
      from = next;
    }
  }

  /** The value of a key; undefined if it is not there. @throws {SystemError} */
  get(key: Bytes): Bytes | undefined {
    const value = new Uint8Array(this.valueSize);
    return lookUp(this.#fd, key, value) ? value : undefined;
  }

  /** Puts an entry in. @returns false if it is there, or there is no room or memory for it */
  add(key: Bytes, value: Bytes): boolean {
    return patiently(() => libbpf().bpf_map_update_elem(this.#fd, key, value, BPF_NOEXIST)) >= 0;
  }

  /** Removes an entry. @returns whether it was there. @throws {SystemError} */
  delete(key: Bytes): boolean {
    return removeEntry("cannot take from a map", this.#fd, key);
  }
}
