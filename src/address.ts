/** IP addresses as bytes and as text. */

/** Dotted-quad text of 4 bytes. */
export function formatIpv4(bytes: Uint8Array, offset = 0): string {
  return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}`;
}

/** The 32 bits of a dotted quad in host order: 10.0.0.1 is 0x0a000001. */
export function parseIpv4(text: string): number {
  return text.split(".").reduce((bits, byte) => bits * 256 + Number(byte), 0);
}

/** Text of 16 bytes as RFC 5952 has it: lower case, the longest run of zero groups as `::`. */
export function formatIpv6(bytes: Uint8Array, offset = 0): string {
  const group = (i: number) => (bytes[offset + 2 * i] ?? 0) << 8 | (bytes[offset + 2 * i + 1] ?? 0);
  let start = -1;
  let length = 1; // a single zero group is not shortened
  for (let i = 0; i < 8; i++) {
    let j = i;
    while (j < 8 && group(j) === 0) j++;
    if (j - i > length) {
      start = i;
      length = j - i;
    }
    i = Math.max(i, j - 1);
  }
  let text = "";
  for (let i = 0; i < 8; i++) {
    if (i === start) {
      text += "::";
      i += length - 1;
    } else {
      if (text !== "" && !text.endsWith("::")) text += ":";
      text += group(i).toString(16);
    }
  }
  return text;
}
