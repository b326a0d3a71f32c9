/** IP addresses as bytes and as text. */

/** Dotted-quad text of 4 bytes. */
export function formatIpv4(bytes: Uint8Array, offset = 0): string {
  return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}`;
}

/** The 32 bits of a dotted quad in host order: 10.0.0.1 is 0x0a000001. */
export function parseIpv4(text: string): number {
  return text.split(".").reduce((bits, byte) => bits * 256 + Number(byte), 0);
}

const OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);

/**
 * The bytes of an address of IPv4 or IPv6 (RFC 4291, section 2.2), without a zone: 4 or 16 in network
 * order. Undefined if the text is not one. Accepts what `isIP` of node:net does, which takes 30 ms
 * to load.
 */
export function parseAddress(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (IPV4.test(text)) return Uint8Array.from(text.split("."), Number);
  const halves = text.split("::");
  const [head, tail] = halves.map((half) => half === "" ? [] : half.split(":"));
  if (head === undefined || halves.length > 2) return undefined;
  const last = (tail ?? head).at(-1);
  if (last !== undefined && IPV4.test(last)) {
    const bits = parseIpv4(last);
    const groups = [bits / 2 ** 16 >>> 0, bits % 2 ** 16].map((group) => group.toString(16));
    (tail ?? head).splice(-1, 1, ...groups);
  }
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...new Array<string>(missing).fill("0"), ...tail ?? []];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return Uint8Array.from(groups.flatMap((group) => {
    const number = parseInt(group, 16);
    return [number >> 8, number & 0xff];
  }));
}

/** Text of 16 bytes as RFC 5952 writes it: lower case, the longest run of zero groups as `::`. */
export function formatIpv6(bytes: Uint8Array, offset = 0): string {
  const source = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = writeIpv6(source, offset, formatted, 0);
  let text = "";
  for (let i = 0; i < end; i++) text += String.fromCharCode(formatted.getUint8(i));
  return text;
}

const formatted = new DataView(new ArrayBuffer(40));

/**
 * Writes what `formatIpv4` makes of an address, as ASCII. A byte after it is overwritten too.
 * @param address the 32 bits in host order
 * @returns where it ends
 */
export function writeIpv4(address: number, target: DataView, at: number): number {
  at = writeOctet(address >>> 24, target, at);
  at = writeOctet(address >>> 16 & 0xff, target, at);
  at = writeOctet(address >>> 8 & 0xff, target, at);
  return writeOctet(address & 0xff, target, at) - 1;
}

/** Digits and a dot of each octet as they lie in memory, and their length in bytes. */
const OCTETS = new Int32Array(256);
const OCTET_LENGTHS = new Uint8Array(256);
for (let octet = 0; octet < 256; octet++) {
  const text = `${octet}.`;
  OCTET_LENGTHS[octet] = text.length;
  let word = 0;
  for (let i = 0; i < text.length; i++) word |= text.charCodeAt(i) << 8 * i;
  OCTETS[octet] = word;
}

function writeOctet(octet: number, target: DataView, at: number): number {
  target.setInt32(at, OCTETS[octet] ?? 0, true);
  return at + (OCTET_LENGTHS[octet] ?? 0);
}

const COLON = 0x3a;

/**
 * Writes what `formatIpv6` makes of the 16 bytes at `offset`, as ASCII; a byte after it may be
 * overwritten.
 * @returns where it ends
 */
export function writeIpv6(source: DataView, offset: number, target: DataView, at: number): number {
  let start = -1;
  let length = 1; // a single zero group is not shortened
  for (let i = 0, zeros = 0; i < 8; i++) {
    zeros = source.getUint16(offset + 2 * i) === 0 ? zeros + 1 : 0;
    if (zeros > length) {
      length = zeros;
      start = i + 1 - zeros;
    }
  }
  for (let i = 0; i < 8; i++) {
    if (i === start) {
      target.setUint16(at, COLON << 8 | COLON);
      at += 2;
      i += length - 1;
    } else {
      if (i > 0 && i !== start + length) target.setUint8(at++, COLON);
      at = writeGroup(source.getUint16(offset + 2 * i), target, at);
    }
  }
  return at;
}

function writeGroup(group: number, target: DataView, at: number): number {
  if (group >= 0x1000) target.setUint8(at++, hexDigit(group >>> 12));
  if (group >= 0x100) target.setUint8(at++, hexDigit(group >>> 8 & 15));
  if (group >= 0x10) target.setUint8(at++, hexDigit(group >>> 4 & 15));
  target.setUint8(at, hexDigit(group & 15));
  return at + 1;
}

function hexDigit(value: number): number {
  return 0x30 + value + (9 - value >> 31 & 0x27); // without a branch: 0x61 is "a"
}
