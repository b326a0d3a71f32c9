/**
 * Networks all of whose addresses are local to a network namespace, by a route such as
 * `ip route add local 192.0.2.0/24 dev lo` (AnyIP), as /proc/PID/net shows them.
 */
import { parseIpv4 } from "../net/address.ts";
import type { Network } from "../net/cidr.ts";

const LOOPBACK = 127;

/**
 * IPv4 networks in a `fib_trie`, without single addresses and 127.0.0.0/8. Only the tables that
 * each packet meets count: transparent proxies have a table of their own in which all is local.
 */
export function parseFibNetworks(text: string): Network[] {
  const tables = [...text.matchAll(/^(\S.*):$/gm)];
  const networks: Network[] = [];
  for (const { index, 1: length } of text.matchAll(/^ +\/(\d+) \S+ LOCAL$/gm)) {
    const prefix = Number(length);
    if (prefix === 0 || prefix >= 32) continue;
    const table = tables.findLast((table) => table.index < index)?.[1] ?? "";
    const [, leaf = ""] = /^\|-- ([\d.]+)$/m.exec(text.slice(text.lastIndexOf("|-- ", index))) ??
      [];
    const address = parseIpv4(leaf);
    if (!/^(?:Main|Local)$/.test(table) || address >>> 24 === LOOPBACK) continue;
    networks.push({ family: "ipv4", bytes: bytesOf(address), prefix });
  }
  return networks;
}

/**
 * IPv6 networks in an `ipv6_route`, without single addresses and without `::/0`: it does not show
 * tables, and that is what transparent proxies have in theirs.
 */
export function parseIpv6Networks(text: string): Network[] {
  // RTF_LOCAL, 0x80000000 of the flags before the device: include/uapi/linux/ipv6_route.h
  const local = /^([0-9a-f]{32}) ([0-9a-f]{2}) (?:[0-9a-f]+ ){6}[89a-f][0-9a-f]{7} /gm;
  return [...text.matchAll(local)]
    .map(([, hex = "", length = ""]): Network => (
      { family: "ipv6", bytes: Uint8Array.fromHex(hex), prefix: parseInt(length, 16) }
    ))
    .filter(({ prefix }) => prefix > 0 && prefix < 128);
}

function bytesOf(ipv4: number): Uint8Array {
  return Uint8Array.of(ipv4 >>> 24, ipv4 >>> 16, ipv4 >>> 8, ipv4);
}
