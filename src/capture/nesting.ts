/** Keeps the server's end of a session within the client's, if both are on this host. */
import { localInitialNumber, peerInitialNumber } from "../session/initial_numbers.ts";
import { RECORD, ROLE } from "../session/record_layout.ts";
import { TCP_STATES } from "../session/session.ts";

const SLOTS = 4096; // sessions remembered; a power of two
const WORDS = 4; // of a slot: two that identify the session, and the client's end
const TOLERANCE_NS = 100_000; // what docs/span.md promises of times
const MOST_UNSEEN_NS = 10_000_000; // for the acknowledgement of a FIN, which no process sees
const CLOSING = TCP_STATES.indexOf("closing");
const LAST_ACK = TCP_STATES.indexOf("last_ack");

/**
 * If the client closes first, the server's socket closes microseconds later, when the client's last
 * packet arrives: nested spans would not nest. Remembers when clients' sessions ended, and sets
 * later ends of their servers' sessions back to that.
 */
export class Nesting {
  readonly #slots = new Uint32Array(SLOTS * WORDS);
  #words = new Int32Array();
  #at = 0; // of the record, in words
  #sum = 0; // of its initial sequence numbers: they identify the session, as an unordered pair
  #difference = 0; // exclusive or

  /** Sets back the ends of servers' sessions among the first `count` records in `words`. */
  apply(words: Int32Array<ArrayBuffer>, count: number): void {
    this.#words = words;
    for (let i = 0; i < count; i++) {
      this.#at = i * RECORD.size / 4;
      if (this.#word(RECORD.interim) !== 0) continue;
      const role = this.#byte(RECORD.role);
      if (role === ROLE.ACTIVE) this.#remember();
      else if (role === ROLE.PASSIVE) this.#setBack();
    }
  }

  #remember(): void {
    const slots = this.#slots;
    const at = this.#identify(0);
    slots[at] = this.#sum;
    slots[at + 1] = this.#difference;
    slots[at + 2] = this.#word(RECORD.end_ns);
    slots[at + 3] = this.#word(RECORD.end_ns + 4);
  }

  #setBack(): void {
    const slots = this.#slots;
    const at = this.#identify(1);
    if (slots[at] !== this.#sum || slots[at + 1] !== this.#difference) return;
    const low = slots[at + 2] ?? 0;
    const high = slots[at + 3] ?? 0;
    const end = high * 2 ** 32 + low; // a boot clock of 104 days is exact, longer ones nearly
    const late = this.#time(RECORD.end_ns) - end;
    if (late <= 0) return;
    // it was not the client's end that came, but another packet
    if (end < this.#time(RECORD.start_ns) || end < this.#time(RECORD.established_ns)) return;
    if (end < this.#time(RECORD.fin_sent_ns) || end < this.#time(RECORD.fin_received_ns)) return;
    // a process sees when a reset or an error arrives, but not when its own FIN is acknowledged
    const state = this.#byte(RECORD.last_state);
    const unseen = (state === LAST_ACK || state === CLOSING) && this.#byte(RECORD.err) === 0;
    if (late > (unseen ? MOST_UNSEEN_NS : TOLERANCE_NS)) return;
    this.#words[this.#at + RECORD.end_ns / 4] = low;
    this.#words[this.#at + RECORD.end_ns / 4 + 1] = high;
  }

  /** @param passive 1 if this end accepted. @returns index of the session's slot */
  #identify(passive: 0 | 1): number {
    const local = localInitialNumber(
      this.#word(RECORD.snd_una),
      this.#word(RECORD.bytes_acked),
      passive,
    );
    const peer = peerInitialNumber(this.#word(RECORD.rcv_nxt), this.#word(RECORD.bytes_received));
    this.#sum = local + peer >>> 0;
    this.#difference = (local ^ peer) >>> 0;
    return (this.#difference & SLOTS - 1) * WORDS;
  }

  #time(field: number): number {
    return this.#word(field + 4) * 2 ** 32 + this.#word(field);
  }

  #word(field: number): number {
    return (this.#words[this.#at + (field >> 2)] ?? 0) >>> 0;
  }

  #byte(field: number): number {
    return this.#word(field & ~3) >>> (field & 3) * 8 & 0xff;
  }
}
