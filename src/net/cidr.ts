/** Networks in CIDR notation. */
import { BlockList, isIP } from "node:net";

/** Whether `text` is an address or a network such as `10.0.0.0/8` or `fd00::/8`. */
export function isCidr(text: string): boolean {
  return parse(text) !== undefined;
}

/** A network in numbers. */
export interface Network {
  readonly family: "ipv4" | "ipv6";
  /** In network order: 4 or 16. */
  readonly bytes: Uint8Array;
  /** Length in bits; what is behind it in `bytes` does not count. */
  readonly prefix: number;
}

/**
 * Reads a network or a single address. One of IPv4-mapped IPv6 addresses (RFC 4291) is one of IPv4.
 * @throws {TypeError} if it is neither
 */
export function parseNetwork(cidr: string): Network {
  const network = parse(cidr);
  if (network === undefined) throw new TypeError(`cannot read the network: ${cidr}`);
  const { family, address, prefix } = network;
  if (family === "ipv4") return { family, bytes: ipv4Bytes(address), prefix };
  const bytes = ipv6Bytes(address);
  const isMapped = prefix >= MAPPED.length * 8 && MAPPED.every((byte, i) => byte === bytes[i]);
  return isMapped
    ? { family: "ipv4", bytes: bytes.subarray(MAPPED.length), prefix: prefix - MAPPED.length * 8 }
    : { family, bytes, prefix };
}

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

function ipv4Bytes(address: string): Uint8Array {
  return Uint8Array.from(address.split("."), Number);
}

function ipv6Bytes(address: string): Uint8Array {
  const [head = [], tail = []] = address.split("::").map((half) =>
    half.split(":").filter((group) => group !== "").flatMap((group) => {
      if (group.includes(".")) return [...ipv4Bytes(group)];
      const number = parseInt(group, 16);
      return [number >> 8, number & 0xff];
    })
  );
  const bytes = new Uint8Array(16);
  bytes.set(head);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

/** A set of networks, asked by address. */
export class Networks {
  readonly #list = new BlockList();
  readonly empty: boolean;

  /** @param cidrs networks or single addresses. @throws {TypeError} if one is neither */
  constructor(cidrs: readonly string[]) {
    this.empty = cidrs.length === 0;
    for (const cidr of cidrs) {
      const network = parse(cidr);
      if (network === undefined) throw new TypeError(`cannot read the network: ${cidr}`);
      this.#list.addSubnet(network.address, network.prefix, network.family);
    }
  }

  /** Whether `address` (text, as in `Session.peerAddress`) lies in one of the networks. */
  has(address: string, family: "ipv4" | "ipv6"): boolean {
    return !this.empty && this.#list.check(address, family);
  }
}

function parse(text: string) {
  const [address = "", length, ...rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || rest.length > 0 || address.includes("%")) return undefined;
  const bits = version === 4 ? 32 : 128;
  if (length !== undefined && !/^\d{1,3}$/.test(length)) return undefined;
  const prefix = length === undefined ? bits : Number(length);
  if (prefix > bits) return undefined;
  return { address, prefix, family: version === 4 ? "ipv4" : "ipv6" } as const;
}
