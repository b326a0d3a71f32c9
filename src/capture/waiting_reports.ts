/** Reports that wait in the kernel until their sockets are closed. */
import { HashMap } from "../../ffi/hash_map.ts";
import { RECORD } from "../record_layout.ts";
import type { RecordTranslation } from "../record_translation.ts";

/** Behind every session's end. */
export const EVER = 2n ** 64n - 1n;

const KEY_SIZE = 8;
const HIGHEST = KEY_SIZE - 1; // byte of a key, which is little-endian
const TAKEN = 0x80; // in it: no cookie counts as far

type Bytes = Uint8Array<ArrayBuffer>;

/** Records of today's layout, one behind the other. */
export interface TakenReports {
  readonly memory: ArrayBuffer;
  readonly count: number;
}

/**
 * The map `waiting` of the kernel program, by sockets' cookies. Whoever deletes a report from it hands
 * it on: the kernel program at the socket's close, or this, which keeps it under a key of its own
 * until it has a place elsewhere, so that whoever opens a pinned map after a crash finds it.
 */
export class WaitingReports {
  readonly #map: HashMap;
  readonly #translation: RecordTranslation | undefined;

  /**
   * @param fd the map's descriptor, which belongs to whom it came from
   * @param translation of its records, where they are not of today's layout
   */
  constructor(fd: number, translation?: RecordTranslation) {
    this.#map = new HashMap(fd);
    this.#translation = translation;
  }

  /**
   * Takes those whose sessions ended by `time`. They are given up once the next are asked for.
   * @param time nanoseconds of CLOCK_BOOTTIME
   * @throws {SystemError}
   */
  *take(time: bigint): Generator<TakenReports, void, void> {
    for (const { count, keys, values } of this.#map.entries()) {
      const memory = this.#translated(values, count);
      const records = new Uint8Array(memory);
      const view = new DataView(memory);
      const taken: Bytes[] = [];
      for (let i = 0; i < count; i++) {
        const key = keys.slice(i * KEY_SIZE, (i + 1) * KEY_SIZE);
        const end = view.getBigUint64(i * RECORD.size + RECORD.end_ns, true);
        const isDue = end !== 0n && end <= time; // 0: it is just being written
        if (!isTaken(key) && !isDue) continue;
        const { valueSize } = this.#map;
        const own = this.#claim(key, values.subarray(i * valueSize, (i + 1) * valueSize));
        if (own === undefined) continue;
        records.copyWithin(taken.length * RECORD.size, i * RECORD.size, (i + 1) * RECORD.size);
        taken.push(own);
      }
      if (taken.length === 0) continue;
      yield { memory, count: taken.length };
      for (const key of taken) this.#map.delete(key);
    }
  }

  /** @returns the key that it has now; undefined if the kernel program was faster */
  #claim(key: Bytes, value: Bytes): Bytes | undefined {
    if (isTaken(key)) return key; // by a process that was ended before it could hand it on
    const own = key.slice();
    own[HIGHEST] = (own[HIGHEST] ?? 0) | TAKEN;
    this.#map.put(own, value); // without room for it, it is lost if this process is ended now
    if (this.#map.delete(key)) return own;
    this.#map.delete(own);
    return undefined;
  }

  #translated(values: Bytes, count: number): ArrayBuffer {
    if (this.#translation === undefined) return values.slice().buffer;
    const records = new Uint8Array(count * RECORD.size);
    this.#translation.translate(values, count, records);
    return records.buffer;
  }
}

function isTaken(key: Bytes): boolean {
  return ((key[HIGHEST] ?? 0) & TAKEN) !== 0;
}
