/** What is known about processes, found by the bytes of their records. */
import { RECORD, TEXT_LENGTH } from "../session/record_layout.ts";
import type { Session } from "../session/session.ts";

// a process is identified by its number and its start; its user may change, and so may what it
// executes, with its name
const FIXED_FIELDS = [
  RECORD.owner_process_start_ns,
  RECORD.owner_process_start_ns + 4,
  RECORD.owner_pid,
  RECORD.owner_uid,
  RECORD.owner_exec_id,
] as const;
const NAME_AT = FIXED_FIELDS.length;
const KEY_WORDS = NAME_AT + TEXT_LENGTH.exe / 4;
const NONE = -1;

/** A value for each process; when it is full, it forgets the oldest process. */
export class ProcessTable<Value> {
  readonly #capacity: number;
  readonly #values: Value[] = []; // by slot
  readonly #keys: Int32Array; // by slot
  readonly #next: Int32Array; // by slot: the next one with the same hash
  readonly #heads: Int32Array; // by hash
  readonly #key = new Int32Array(KEY_WORDS); // of the session at hand
  #added = 0;

  /** @param capacity most processes, a power of two */
  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#keys = new Int32Array(capacity * KEY_WORDS);
    this.#next = new Int32Array(capacity);
    this.#heads = new Int32Array(capacity).fill(NONE);
  }

  /** The value of the process that owns `session`. */
  get(session: Session): Value | undefined {
    this.#readKey(session);
    let slot = this.#heads[this.#hash(this.#key, 0)] ?? NONE;
    while (slot !== NONE && !this.#matches(slot)) slot = this.#next[slot] ?? NONE;
    return slot === NONE ? undefined : this.#values[slot];
  }

  /** Gives a value to the process that owns `session` and has none. @returns the value */
  add(session: Session, value: Value): Value {
    const slot = this.#added++ % this.#capacity;
    if (slot < this.#values.length) this.#unlink(slot);
    this.#readKey(session);
    this.#keys.set(this.#key, slot * KEY_WORDS);
    const hash = this.#hash(this.#key, 0);
    this.#next[slot] = this.#heads[hash] ?? NONE;
    this.#heads[hash] = slot;
    this.#values[slot] = value;
    return value;
  }

  #readKey(session: Session): void {
    const key = this.#key;
    for (let i = 0; i < NAME_AT; i++) key[i] = session.word(FIXED_FIELDS[i] ?? 0);
    let at = NAME_AT;
    for (; at < KEY_WORDS; at++) {
      const word = session.word(RECORD.owner_exe + 4 * (at - NAME_AT));
      // the top bit of the first byte that is 0, and perhaps of bytes above it
      const zeros = (word - 0x01010101) & ~word & 0x80808080;
      key[at] = zeros === 0 ? word : word & ((zeros & -zeros) >>> 7) - 1;
      if (zeros !== 0) break;
    }
    // after its end may be the rest of an earlier owner's name
    for (at++; at < KEY_WORDS; at++) key[at] = 0;
  }

  #matches(slot: number): boolean {
    const at = slot * KEY_WORDS;
    for (let i = 0; i < KEY_WORDS; i++) {
      if (this.#keys[at + i] !== this.#key[i]) return false;
    }
    return true;
  }

  #unlink(slot: number): void {
    const hash = this.#hash(this.#keys, slot * KEY_WORDS);
    const next = this.#next[slot] ?? NONE;
    let before = this.#heads[hash] ?? NONE;
    if (before === slot) {
      this.#heads[hash] = next;
      return;
    }
    while (this.#next[before] !== slot) before = this.#next[before] ?? NONE;
    this.#next[before] = next;
  }

  /** Hashes the key at `at`: the words of the process's start, and its number. */
  #hash(keys: Int32Array, at: number): number {
    const start = (keys[at] ?? 0) ^
      Math.imul((keys[at + 2] ?? 0) ^ (keys[at + 1] ?? 0) << 16, 0x9e3779b1);
    const hash = Math.imul(start, 0x85ebca6b);
    return (hash ^ hash >>> 15) & this.#capacity - 1;
  }
}
