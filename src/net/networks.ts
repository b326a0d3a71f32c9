/** Sets of networks that an address is looked up in. */
import { BlockList } from "node:net";
import { isCidr } from "./cidr.ts";

/** A set of networks. */
export class Networks {
  readonly #list = new BlockList();
  readonly empty: boolean;

  /** @param cidrs networks or single addresses. @throws {TypeError} if one is neither */
  constructor(cidrs: readonly string[]) {
    this.empty = cidrs.length === 0;
    for (const cidr of cidrs) {
      if (!isCidr(cidr)) throw new TypeError(`cannot read the network: ${cidr}`);
      const [address = "", length] = cidr.split("/");
      const family = address.includes(":") ? "ipv6" : "ipv4";
      this.#list.addSubnet(address, Number(length ?? (family === "ipv6" ? 128 : 32)), family);
    }
  }

  /** Whether `address` (text, as in `Session.peerAddress`) lies in one of the networks. */
  has(address: string, family: "ipv4" | "ipv6"): boolean {
    return !this.empty && this.#list.check(address, family);
  }
}
