/** Reports that wait in the kernel until their sockets are closed. */
import { HashMap } from "../../ffi/hash_map.ts";
import { RECORD } from "../session/record_layout.ts";
import type { RecordTranslation } from "../session/record_translation.ts";

/** Later than every session's end. */
export const EVER = 2n ** 64n - 1n;

const KEY_SIZE = 8;
const HIGHEST = KEY_SIZE - 1; // byte of a key, which is little-endian
// Cookies count up from 0 and, in interrupts, down from 2^64 (include/linux/cookie.h): their two
// highest bits are the same.
const TAKEN = 0x40;

type Bytes = Uint8Array<ArrayBuffer>;

/** Records of today's layout, one after the other. */
export interface TakenReports {
  readonly memory: ArrayBuffer;
  readonly count: number;
}

/**
 * The map `waiting` of the kernel program, by sockets' cookies. Whoever deletes a report from it
 * delivers it: the kernel program at the socket's close, or this class. This class first keeps it
 * under another key until it is stored elsewhere, so that whoever opens a pinned map after a crash
 * finds it.
 */
export class WaitingReports {
  readonly #map: HashMap;
  readonly #translation: RecordTranslation | undefined;

  /**
   * @param fd the map's descriptor, which belongs to the caller
   * @param translation of its records, if they are not of today's layout
   */
  constructor(fd: number, translation?: RecordTranslation) {
    this.#map = new HashMap(fd);
    this.#translation = translation;
  }

  /**
   * Takes those whose sessions ended by `time`. They leave the map when the next are asked for.
   * @param time nanoseconds of CLOCK_BOOTTIME
   * @throws {SystemError}
   */
  *take(time: bigint): Generator<TakenReports, void, void> {
    for (const { count, keys, values } of this.#map.entries()) {
      const memory = this.#translated(values, count);
      const records = new Uint8Array(memory);
      const view = new DataView(memory);
      const own: Bytes[] = [];
      let taken = 0;
      for (let i = 0; i < count; i++) {
        const key = keys.slice(i * KEY_SIZE, (i + 1) * KEY_SIZE);
        const { valueSize } = this.#map;
        const value = values.subarray(i * valueSize, (i + 1) * valueSize);
        const end = view.getBigUint64(i * RECORD.size + RECORD.end_ns, true);
        if (isTaken(key)) { // by a process that ended before it delivered it
          if (this.#has(other(key), value)) this.#map.delete(other(key));
          own.push(key);
        } else {
          if (end === 0n || end > time) continue; // 0: it is just being written
          const isSafe = this.#map.add(other(key), value); // else it is lost if this process ends now
          if (!this.#map.delete(key)) { // the kernel program was faster
            if (isSafe) this.#map.delete(other(key));
            continue;
          }
          if (isSafe) own.push(other(key));
          else if (this.#has(other(key), value)) continue; // the entry under that key comes by itself
        }
        records.copyWithin(taken * RECORD.size, i * RECORD.size, (i + 1) * RECORD.size);
        taken++;
      }
      if (taken === 0) continue;
      yield { memory, count: taken };
      for (const key of own) this.#map.delete(key);
    }
  }

  #has(key: Bytes, value: Bytes): boolean {
    return this.#map.get(key)?.every((byte, i) => byte === value[i]) ?? false;
  }

  #translated(values: Bytes, count: number): ArrayBuffer {
    if (this.#translation === undefined) return values.buffer;
    const records = new Uint8Array(count * RECORD.size);
    this.#translation.translate(values, count, records);
    return records.buffer;
  }
}

/** From a report's key to the one under which it is kept once it is taken, and back. */
function other(key: Bytes): Bytes {
  const result = key.slice();
  result[HIGHEST] = (key[HIGHEST] ?? 0) ^ TAKEN;
  return result;
}

function isTaken(key: Bytes): boolean {
  const highest = key[HIGHEST] ?? 0;
  return ((highest ^ highest << 1) & 0x80) !== 0;
}
