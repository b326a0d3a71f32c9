/** The addresses of this host, in all of its network namespaces. */
import { parseIpv4 } from "../net/address.ts";
import { AddressSet } from "./address_set.ts";
import type { SessionBatch } from "../session/batch.ts";
import { parseFibNetworks, parseIpv6Networks } from "../host/local_networks.ts";
import { networkNamespaces } from "../host/network_namespaces.ts";
import { readProc } from "../host/procfs.ts";
import { ScanBudget } from "../host/scan_budget.ts";
import { FLAG } from "../session/record_layout.ts";
import type { End, Session } from "../session/session.ts";

const RESCAN_MS = 30_000;
const MOST_ROUTES = 4 * 1024 * 1024; // bytes of IPv6 routes: a router may have a million
const MOST_SEEN = 65_536;

/** Knows whether a peer is on this host. It scans within a budget that others may share. */
export class HostAddresses {
  readonly #listed = new AddressSet(); // from namespaces that have a process
  readonly #seen = new AddressSet(); // at this host's ends of sessions
  readonly #namespaces = new Set<number>();
  readonly #scans: ScanBudget;
  #scanned = -Infinity;

  constructor(scans = new ScanBudget(0)) {
    this.#scans = scans;
  }

  /** Takes note of the addresses of this host's ends. */
  observe(batch: SessionBatch): void {
    if (this.#seen.size > MOST_SEEN) this.#seen.clear();
    const session = batch.at(0);
    for (let i = 0; i < batch.length; i++) {
      session.moveTo(i);
      if (!isLoopback(session, "local")) this.#seen.addOf(session, "local");
    }
  }

  /**
   * Whether the peer of `session` is on this host. The kernel's program knows it of the sessions
   * whose two ends it saw established, the address tells it of others. A network namespace that was
   * not seen before is read first.
   */
  hasPeer(session: Session): boolean {
    if (
      session.has(FLAG.CLIENT_HERE) || isLoopback(session, "peer") ||
      this.#seen.hasOf(session, "peer")
    ) return true;
    const isDue = performance.now() - this.#scanned > RESCAN_MS ||
      !this.#namespaces.has(session.netns);
    if (isDue && this.#scans.allows) {
      this.#scanned = this.#scans.spend(() => this.#scan());
      this.#namespaces.add(session.netns); // perhaps no process is in it: then no scan finds it
    }
    return this.#listed.hasOf(session, "peer");
  }

  /** Reads the addresses of each namespace from the /proc of one of its processes. */
  #scan(): void {
    this.#listed.clear();
    this.#namespaces.clear();
    for (const { inode, pid } of networkNamespaces()) {
      this.#namespaces.add(inode);
      const trie = readProc(`${pid}/net/fib_trie`) ?? "";
      for (const address of parseFibTrie(trie)) this.#listed.addIpv4(parseIpv4(address));
      for (const network of parseFibNetworks(trie)) this.#listed.addNetwork(network);
      for (const address of parseIfInet6(readProc(`${pid}/net/if_inet6`) ?? "")) {
        this.#listed.addIpv6(address);
      }
      const routes = readProc(`${pid}/net/ipv6_route`, MOST_ROUTES) ?? "";
      for (const network of parseIpv6Networks(routes)) this.#listed.addNetwork(network);
    }
  }
}

/** Local IPv4 addresses in a `/proc/PID/net/fib_trie`: leaves with a `/32 host LOCAL` route. */
export function parseFibTrie(text: string): string[] {
  return [...text.matchAll(/\|-- (\S+)\n\s+\/32 host LOCAL/g)].map(([, address = ""]) => address);
}

/** IPv6 addresses in a `/proc/PID/net/if_inet6`, 16 bytes each. */
export function parseIfInet6(text: string): Uint8Array[] {
  return [...text.matchAll(/^([0-9a-f]{32}) /gm)].map(([, hex = ""]) => Uint8Array.fromHex(hex));
}

/** 127.0.0.0/8 or ::1. */
function isLoopback(session: Session, end: End): boolean {
  const first = session.addressWord(end, 0);
  if (session.family === "ipv4") return first >>> 24 === 127;
  return first === 0 && session.addressWord(end, 1) === 0 &&
    session.addressWord(end, 2) === 0 && session.addressWord(end, 3) === 1;
}
