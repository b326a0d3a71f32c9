/** Keeps the server's end of a session within the client's, where both are on this host. */
import { RECORD, ROLE } from "./record_layout.ts";

const SLOTS = 4096; // sessions remembered; a power of two
const WORDS = 4; // of a slot: two that tell the session, and the client's end

/**
 * Where the client closes first, the server's socket closes microseconds later, when the client's
 * last packet arrives: nested spans would not nest. Remembers the ends of clients' sessions, and
 * takes them for those of their servers that come after them.
 */
export class Nesting {
  readonly #slots = new Uint32Array(SLOTS * WORDS);

  /** Sets back the ends of servers' sessions among the first `count` records in `words`. */
  apply(words: Int32Array, count: number): void {
    const slots = this.#slots;
    for (let i = 0; i < count; i++) {
      const at = i * RECORD.size / 4;
      const word = (field: number) => words[at + field / 4] ?? 0;
      const role = word(RECORD.role & ~3) >>> (RECORD.role % 4 * 8) & 0xff;
      if (role === ROLE.UNKNOWN || word(RECORD.interim) !== 0) continue;
      // the initial sequence numbers, as an unordered pair
      const passive = role === ROLE.PASSIVE ? 1 : 0;
      const local = word(RECORD.snd_una) - word(RECORD.bytes_acked) - passive;
      const peer = word(RECORD.rcv_nxt) - word(RECORD.bytes_received) - 1;
      const sum = local + peer >>> 0;
      const difference = (local ^ peer) >>> 0;
      const slot = (difference & SLOTS - 1) * WORDS;
      const low = word(RECORD.end_ns) >>> 0;
      const high = word(RECORD.end_ns + 4) >>> 0;
      if (role === ROLE.ACTIVE) {
        slots[slot] = sum;
        slots[slot + 1] = difference;
        slots[slot + 2] = low;
        slots[slot + 3] = high;
      } else if (slots[slot] === sum && slots[slot + 1] === difference) {
        const clientLow = slots[slot + 2] ?? 0;
        const clientHigh = slots[slot + 3] ?? 0;
        if (clientHigh > high || clientHigh === high && clientLow >= low) continue;
        words[at + RECORD.end_ns / 4] = clientLow;
        words[at + RECORD.end_ns / 4 + 1] = clientHigh;
      }
    }
  }
}
