/** The addresses of this host, in all of its network namespaces. */
import { formatIpv6, parseIpv4 } from "./address.ts";
import type { SessionBatch } from "./batch.ts";
import { Networks } from "./cidr.ts";
import { networkNamespaces } from "./network_namespaces.ts";
import { readProc } from "./procfs.ts";

const LOOPBACK = new Networks(["127.0.0.0/8", "::1"]);
const RESCAN_MS = 30_000;
const MOST_SCANNING = 0.05; // of the time, while namespaces come and go
const MOST_SEEN = 65_536;

/** Tells whether a peer is on this host. */
export class HostAddresses {
  readonly #listed = new Set<string>(); // by namespaces that have a process
  readonly #seen = new Set<string | number>(); // at this host's end of a session
  readonly #namespaces = new Set<number>();
  #scanned = -Infinity;
  #scanMs = 0; // how long it took

  /** Takes note of the addresses of this host's ends. Makes text of the rarer IPv6 ones alone. */
  observe(batch: SessionBatch): void {
    if (this.#seen.size > MOST_SEEN) this.#seen.clear();
    const session = batch.at(0);
    for (let i = 0; i < batch.length; i++) {
      const { family, localIpv4 } = session.moveTo(i);
      this.#seen.add(family === "ipv4" ? localIpv4 : session.localAddress);
    }
  }

  /**
   * Whether `address` (text, as in `Session.peerAddress`) belongs to this host.
   * @param netns the namespace of a session with it: one not seen before is looked at first
   */
  has(address: string, family: "ipv4" | "ipv6", netns: number): boolean {
    if (LOOPBACK.has(address, family)) return true;
    if (this.#seen.has(family === "ipv4" ? parseIpv4(address) : address)) return true;
    const age = performance.now() - this.#scanned;
    const newcomer = !this.#namespaces.has(netns) && age > this.#scanMs / MOST_SCANNING;
    if (age > RESCAN_MS || newcomer) this.#scan();
    return this.#listed.has(address);
  }

  /** One process of each namespace tells its addresses, through /proc. */
  #scan(): void {
    const began = performance.now();
    this.#listed.clear();
    this.#namespaces.clear();
    for (const { inode, pid } of networkNamespaces()) {
      this.#namespaces.add(inode);
      for (const address of parseFibTrie(readProc(`${pid}/net/fib_trie`) ?? "")) {
        this.#listed.add(address);
      }
      for (const address of parseIfInet6(readProc(`${pid}/net/if_inet6`) ?? "")) {
        this.#listed.add(address);
      }
    }
    this.#scanned = performance.now();
    this.#scanMs = this.#scanned - began;
  }
}

/** Local IPv4 addresses in a `/proc/PID/net/fib_trie`: leaves with a `/32 host LOCAL` route. */
export function parseFibTrie(text: string): string[] {
  return [...text.matchAll(/\|-- (\S+)\n\s+\/32 host LOCAL/g)].map(([, address = ""]) => address);
}

/** IPv6 addresses in a `/proc/PID/net/if_inet6`, in the spelling of `Session.peerAddress`. */
export function parseIfInet6(text: string): string[] {
  return [...text.matchAll(/^([0-9a-f]{32}) /gm)].map(([, hex = ""]) =>
    formatIpv6(Uint8Array.fromHex(hex))
  );
}
