/** Networks in CIDR notation. */
import { parseAddress } from "./address.ts";

/** Whether `text` is an address or a network such as `10.0.0.0/8` or `fd00::/8`. */
export function isCidr(text: string): boolean {
  return parse(text) !== undefined;
}

/** A network in numbers. */
export interface Network {
  readonly family: "ipv4" | "ipv6";
  /** 4 or 16 bytes, in network order. */
  readonly bytes: Uint8Array;
  /** Length in bits; later bits of `bytes` do not count. */
  readonly prefix: number;
}

/**
 * Reads a network or a single address. IPv4-mapped IPv6 addresses (RFC 4291) become IPv4 ones.
 * @throws {TypeError} if it is neither
 */
export function parseNetwork(cidr: string): Network {
  const network = parse(cidr);
  if (network === undefined) throw new TypeError(`cannot read the network: ${cidr}`);
  const { bytes, prefix } = network;
  const isMapped = bytes.length === 16 && prefix >= MAPPED.length * 8 &&
    MAPPED.every((byte, i) => byte === bytes[i]);
  if (!isMapped) return { family: bytes.length === 4 ? "ipv4" : "ipv6", bytes, prefix };
  return {
    family: "ipv4",
    bytes: bytes.subarray(MAPPED.length),
    prefix: prefix - MAPPED.length * 8,
  };
}

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

function parse(text: string): { readonly bytes: Uint8Array; readonly prefix: number } | undefined {
  const [address = "", length, ...rest] = text.split("/");
  const bytes = parseAddress(address);
  if (bytes === undefined || rest.length > 0) return undefined;
  if (length !== undefined && !/^\d{1,3}$/.test(length)) return undefined;
  const bits = bytes.length * 8;
  const prefix = length === undefined ? bits : Number(length);
  return prefix > bits ? undefined : { bytes, prefix };
}
