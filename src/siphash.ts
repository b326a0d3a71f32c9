/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012) with 64 and 128 bits of output, on 32-bit halves: no
 * BigInt on the way.
 */

// v0 … v3 as pairs of low and high word
const v = new Int32Array(8);

/** A keyed hash. One call at a time: the result lies in `output` until the next. */
export class SipHash {
  readonly #key: Int32Array;
  readonly #words = new Int32Array(4);
  /** The last hash: 16 bytes after `hash128`, 8 after `hash64`. */
  readonly output: Uint8Array<ArrayBuffer> = new Uint8Array(this.#words.buffer);

  /** @param key 16 bytes */
  constructor(key: Uint8Array) {
    if (key.length !== 16) throw new RangeError(`cannot key SipHash: ${key.length} bytes, not 16`);
    this.#key = new Int32Array(key.slice().buffer);
  }

  /** Leaves 16 bytes in `output`. */
  hash128(input: Uint8Array): void {
    this.#absorb(input, 0xee);
    v[4] = word(4) ^ 0xee;
    this.#finish(0);
    v[2] = word(2) ^ 0xdd;
    this.#finish(2);
  }

  /** Leaves 8 bytes in `output`. */
  hash64(input: Uint8Array): void {
    this.#absorb(input, 0);
    v[4] = word(4) ^ 0xff;
    this.#finish(0);
  }

  #absorb(input: Uint8Array, variant: number): void {
    const [k0 = 0, k1 = 0, k2 = 0, k3 = 0] = this.#key;
    v[0] = k0 ^ 0x70736575;
    v[1] = k1 ^ 0x736f6d65;
    v[2] = k2 ^ 0x6e646f6d ^ variant;
    v[3] = k3 ^ 0x646f7261;
    v[4] = k0 ^ 0x6e657261;
    v[5] = k1 ^ 0x6c796765;
    v[6] = k2 ^ 0x79746573;
    v[7] = k3 ^ 0x74656462;
    const whole = input.length & ~7;
    for (let i = 0; i < whole; i += 8) block(littleEndian(input, i), littleEndian(input, i + 4));
    block(
      littleEndian(input, whole),
      littleEndian(input, whole + 4) & 0xffffff | input.length << 24,
    );
  }

  #finish(at: number): void {
    for (let i = 0; i < 4; i++) round();
    this.#words[at] = word(0) ^ word(2) ^ word(4) ^ word(6);
    this.#words[at + 1] = word(1) ^ word(3) ^ word(5) ^ word(7);
  }
}

function word(index: number): number {
  return v[index] ?? 0;
}

/** Four bytes as a word; those beyond the end count as 0. */
function littleEndian(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | (bytes[at + 1] ?? 0) << 8 | (bytes[at + 2] ?? 0) << 16 |
    (bytes[at + 3] ?? 0) << 24;
}

function block(low: number, high: number): void {
  v[6] = word(6) ^ low;
  v[7] = word(7) ^ high;
  round();
  round();
  v[0] = word(0) ^ low;
  v[1] = word(1) ^ high;
}

function add(to: number, from: number): void {
  const low = (word(to) >>> 0) + (word(from) >>> 0);
  v[to] = low;
  v[to + 1] = word(to + 1) + word(from + 1) + (low > 0xffffffff ? 1 : 0);
}

/** Rotates pair `a` left by `bits` (under 32), then xors pair `b` into it. */
function rotateXor(a: number, bits: number, b: number): void {
  const low = word(a);
  const high = word(a + 1);
  v[a] = (low << bits | high >>> 32 - bits) ^ word(b);
  v[a + 1] = (high << bits | low >>> 32 - bits) ^ word(b + 1);
}

/** Rotates a pair by 32 bits. */
function swap(a: number): void {
  const low = word(a);
  v[a] = word(a + 1);
  v[a + 1] = low;
}

function round(): void {
  add(0, 2);
  rotateXor(2, 13, 0);
  swap(0);
  add(4, 6);
  rotateXor(6, 16, 4);
  add(0, 6);
  rotateXor(6, 21, 0);
  add(4, 2);
  rotateXor(2, 17, 4);
  swap(4);
}
