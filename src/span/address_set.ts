/** A set of IP addresses and networks, searched without making text of them. */
import type { Network } from "../net/cidr.ts";
import type { End, Session } from "../session/session.ts";

const WORDS = 4; // of an address
const IPV4_MAPPED = 0xffff; // RFC 4291, section 2.5.5.2: ::ffff:192.0.2.1 stands for 192.0.2.1
const LEAST = 64; // slots

/** Open addressing in one array; an address of zeros, which no host has, marks an empty slot. */
export class AddressSet {
  #words = new Int32Array(LEAST * WORDS);
  #size = 0;
  /** Of each network its address and its mask: a list, since most hosts have none. */
  #networks = new Int32Array();

  /** How many addresses there are, without those of networks. */
  get size(): number {
    return this.#size;
  }

  clear(): void {
    this.#words = new Int32Array(LEAST * WORDS);
    this.#size = 0;
    this.#networks = new Int32Array();
  }

  /** @param address its 32 bits in host order */
  addIpv4(address: number): void {
    this.#add(0, 0, IPV4_MAPPED, address | 0);
  }

  /** @param bytes 16 in network order */
  addIpv6(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#add(view.getInt32(0), view.getInt32(4), view.getInt32(8), view.getInt32(12));
  }

  /** Adds all addresses of a network. */
  addNetwork({ family, bytes, prefix }: Network): void {
    const words = new DataView(new ArrayBuffer(2 * 4 * WORDS));
    const start = family === "ipv4" ? 12 : 0; // of its bytes: the rest is the same in all addresses
    if (family === "ipv4") words.setInt32(8, IPV4_MAPPED);
    for (let i = 0; i < 16; i++) {
      const bits = Math.min(8, Math.max(0, i < start ? 8 : prefix - 8 * (i - start)));
      const mask = 0xff << 8 - bits & 0xff;
      words.setUint8(16 + i, mask);
      if (i >= start) words.setUint8(i, (bytes[i - start] ?? 0) & mask);
    }
    const added = Array.from({ length: 2 * WORDS }, (_, i) => words.getInt32(4 * i));
    const [a = 0, b = 0, c = 0, d = 0] = added;
    if (!this.#isInNetwork(a, b, c, d)) this.#networks = Int32Array.of(...this.#networks, ...added);
  }

  /** Adds the address of `session`'s end. */
  addOf(session: Session, end: End): void {
    const first = session.addressWord(end, 0);
    if (session.family === "ipv4") {
      this.#add(0, 0, IPV4_MAPPED, first);
    } else {
      this.#add(
        first,
        session.addressWord(end, 1),
        session.addressWord(end, 2),
        session.addressWord(end, 3),
      );
    }
  }

  /** Whether it has the address of `session`'s end. */
  hasOf(session: Session, end: End): boolean {
    const first = session.addressWord(end, 0);
    return session.family === "ipv4" ? this.#has(0, 0, IPV4_MAPPED, first) : this.#has(
      first,
      session.addressWord(end, 1),
      session.addressWord(end, 2),
      session.addressWord(end, 3),
    );
  }

  #has(a: number, b: number, c: number, d: number): boolean {
    return !this.#isEmpty(this.#find(a, b, c, d)) || this.#isInNetwork(a, b, c, d);
  }

  #isInNetwork(a: number, b: number, c: number, d: number): boolean {
    const networks = this.#networks;
    for (let i = 0; i < networks.length; i += 2 * WORDS) {
      const others = ((networks[i] ?? 0) ^ a) & (networks[i + 4] ?? 0) |
        ((networks[i + 1] ?? 0) ^ b) & (networks[i + 5] ?? 0) |
        ((networks[i + 2] ?? 0) ^ c) & (networks[i + 6] ?? 0) |
        ((networks[i + 3] ?? 0) ^ d) & (networks[i + 7] ?? 0);
      if (others === 0) return true;
    }
    return false;
  }

  #add(a: number, b: number, c: number, d: number): void {
    const at = this.#find(a, b, c, d);
    if (!this.#isEmpty(at) || (a | b | c | d) === 0) return;
    const words = this.#words;
    words[at] = a;
    words[at + 1] = b;
    words[at + 2] = c;
    words[at + 3] = d;
    if (++this.#size * 2 * WORDS > words.length) this.#grow();
  }

  /** Where an address is, or the empty slot where it belongs. */
  #find(a: number, b: number, c: number, d: number): number {
    const words = this.#words;
    const hash = Math.imul(
      a ^ Math.imul(b ^ Math.imul(c ^ d * 5, 0x9e3779b1), 0x85ebca6b),
      0xc2b2ae35,
    );
    let at = ((hash ^ hash >>> 15) * WORDS) & (words.length - 1);
    while (
      !this.#isEmpty(at) &&
      !(words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d)
    ) at = (at + WORDS) & (words.length - 1);
    return at;
  }

  #isEmpty(at: number): boolean {
    const words = this.#words;
    return ((words[at] ?? 0) | (words[at + 1] ?? 0) | (words[at + 2] ?? 0) |
      (words[at + 3] ?? 0)) === 0;
  }

  #grow(): void {
    const old = this.#words;
    this.#words = new Int32Array(old.length * 2);
    this.#size = 0;
    for (let i = 0; i < old.length; i += WORDS) {
      this.#add(old[i] ?? 0, old[i + 1] ?? 0, old[i + 2] ?? 0, old[i + 3] ?? 0);
    }
  }
}
