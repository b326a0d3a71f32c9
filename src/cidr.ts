/** Networks in CIDR notation. */
import { BlockList, isIP } from "node:net";

/** Whether `text` is an address or a network such as `10.0.0.0/8` or `fd00::/8`. */
export function isCidr(text: string): boolean {
  return parse(text) !== undefined;
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
