/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012) with 64 and 128 bits of output. A 64-bit word is a low
 * and a high half of 32 bits, because V8 keeps those in registers, but not a BigInt: `a` and `A`
 * are v0 of the paper, and so on to `d` and `D`, v3.
 */

/** A keyed hash. The result of a call is in `words` until the next call. */
export class SipHash {
  readonly #key: Int32Array;
  /** The last hash in the machine's byte order: four words after `hash128`, two after `hash64`. */
  readonly words: Int32Array<ArrayBuffer> = new Int32Array(4);
  /** The bytes of `words`. */
  readonly output: Uint8Array<ArrayBuffer> = new Uint8Array(this.words.buffer);

  /** @param key 16 bytes */
  constructor(key: Uint8Array) {
    if (key.length !== 16) throw new RangeError(`cannot key SipHash: ${key.length} bytes, not 16`);
    this.#key = new Int32Array(key.slice().buffer);
  }

  /** Leaves 16 bytes in `output`. */
  hash128(input: DataView): void {
    this.#hash(input, 0xee, 0xee);
  }

  /** Leaves 8 bytes in `output`. */
  hash64(input: DataView): void {
    this.#hash(input, 0, 0xff);
  }

  /** @param variant what v1 begins with. @param last what v2 takes in before the last rounds */
  #hash(input: DataView, variant: number, last: number): void {
    const { words } = this;
    const k0 = this.#key[0] ?? 0, k1 = this.#key[1] ?? 0;
    const k2 = this.#key[2] ?? 0, k3 = this.#key[3] ?? 0;
    let a = k0 ^ 0x70736575, A = k1 ^ 0x736f6d65;
    let b = k2 ^ 0x6e646f6d ^ variant, B = k3 ^ 0x646f7261;
    let c = k0 ^ 0x6e657261, C = k1 ^ 0x6c796765;
    let d = k2 ^ 0x79746573, D = k3 ^ 0x74656462;
    const length = input.byteLength;
    const whole = length & ~7;
    // a turn for each block, for the block with the rest and the length, and for each output word
    const end = whole + (variant === 0 ? 8 : 16);
    for (let at = 0; at <= end; at += 8) {
      let m = 0, M = 0;
      let rounds = 2;
      if (at < whole) {
        m = input.getInt32(at, true);
        M = input.getInt32(at + 4, true);
      } else if (at === whole) {
        m = rest(input, at);
        M = rest(input, at + 4) | length << 24;
      } else {
        rounds = 4;
        if (at === whole + 8) {
          c ^= last;
        } else {
          words[0] = a ^ b ^ c ^ d;
          words[1] = A ^ B ^ C ^ D;
          b ^= 0xdd;
        }
      }
      d ^= m;
      D ^= M;
      for (let i = 0; i < rounds; i++) {
        // A carry is computed from the bits: a comparison would be a branch that is mispredicted
        // half of the time. Rotations by 32 bits swap names: (w, W) and (x, X) are the sums before
        // them.
        const w = (a + b) | 0;
        const W = (A + B + ((a & b | (a | b) & ~w) >>> 31)) | 0;
        let low = (b << 13 | B >>> 19) ^ w;
        B = (B << 13 | b >>> 19) ^ W;
        b = low;
        const x = (c + d) | 0;
        const X = (C + D + ((c & d | (c | d) & ~x) >>> 31)) | 0;
        low = (d << 16 | D >>> 16) ^ x;
        D = (D << 16 | d >>> 16) ^ X;
        d = low;
        a = (W + d) | 0;
        A = (w + D + ((W & d | (W | d) & ~a) >>> 31)) | 0;
        low = (d << 21 | D >>> 11) ^ a;
        D = (D << 21 | d >>> 11) ^ A;
        d = low;
        C = (x + b) | 0;
        c = (X + B + ((x & b | (x | b) & ~C) >>> 31)) | 0;
        low = (b << 17 | B >>> 15) ^ C;
        B = (B << 17 | b >>> 15) ^ c;
        b = low;
      }
      a ^= m;
      A ^= M;
    }
    const at = variant === 0 ? 0 : 2;
    words[at] = a ^ b ^ c ^ d;
    words[at + 1] = A ^ B ^ C ^ D;
  }
}

/** The bytes from `at` to the end, four at most, as the low ones of a word. */
function rest(input: DataView, at: number): number {
  const left = input.byteLength - at;
  if (left >= 4) return input.getInt32(at, true);
  let word = 0;
  for (let i = 0; i < left; i++) word |= input.getUint8(at + i) << 8 * i;
  return word;
}
