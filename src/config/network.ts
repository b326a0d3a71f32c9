import { isIP } from "node:net";
import { z } from "zod";

/** A range of addresses, ready for `addSubnet` of node:net's BlockList. */
export interface Network {
  readonly family: "ipv4" | "ipv6";
  /** An address within the network; bits behind the prefix need not be zero. */
  readonly address: string;
  /** Leading bits that the network's addresses have in common. */
  readonly prefix: number;
}

const EXPECTED = "a network such as 10.0.0.0/8 or 2001:db8::/32, or one address";

/** A config value that is a network in CIDR form, or an address, which is a network of one. */
export function network(): z.ZodType<Network, string> {
  return z.string(EXPECTED).transform((text, context): Network => {
    const [, address = "", digits] = /^([0-9a-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
    const version = isIP(address);
    const longest = version === 4 ? 32 : 128;
    const prefix = digits === undefined ? longest : Number(digits);
    if (version !== 0 && prefix <= longest) {
      return { family: version === 4 ? "ipv4" : "ipv6", address, prefix };
    }
    context.addIssue({ code: "custom", message: EXPECTED });
    return z.NEVER;
  });
}
