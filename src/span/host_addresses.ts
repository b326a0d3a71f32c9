/** The addresses of this host, in all of its network namespaces. */
import { parseIpv4 } from "../net/address.ts";
import { AddressSet } from "./address_set.ts";
import type { SessionBatch } from "../session/batch.ts";
import { networkNamespaces } from "../host/network_namespaces.ts";
import { readProc } from "../host/procfs.ts";
import { FLAG } from "../session/record_layout.ts";
import type { End, Session } from "../session/session.ts";

const RESCAN_MS = 30_000;
const MOST_SCANNING = 0.05; // of the time, while namespaces come and go
const MOST_SEEN = 65_536;

/** Knows whether a peer is on this host. */
export class HostAddresses {
  readonly #listed = new AddressSet(); // from namespaces that have a process
  readonly #seen = new AddressSet(); // at this host's ends of sessions
  readonly #namespaces = new Set<number>();
  #scanned = -Infinity;
  #scanMs = 0; // how long it took

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
   * Whether the peer of `session` is on this host. The kernel's program knows it of sessions that it
   * saw established at both ends; of others the address tells. A network namespace that was not seen before is
   * read first.
   */
  hasPeer(session: Session): boolean {
    if (
      session.has(FLAG.CLIENT_HERE) || isLoopback(session, "peer") ||
      this.#seen.hasOf(session, "peer")
    ) return true;
    const age = performance.now() - this.#scanned;
    const newcomer = !this.#namespaces.has(session.netns) && age > this.#scanMs / MOST_SCANNING;
    if (age > RESCAN_MS || newcomer) this.#scan();
    return this.#listed.hasOf(session, "peer");
  }

  /** Reads the addresses of each namespace from the /proc of one of its processes. */
  #scan(): void {
    const began = performance.now();
    this.#listed.clear();
    this.#namespaces.clear();
    for (const { inode, pid } of networkNamespaces()) {
      this.#namespaces.add(inode);
      for (const address of parseFibTrie(readProc(`${pid}/net/fib_trie`) ?? "")) {
        this.#listed.addIpv4(parseIpv4(address));
      }
      for (const address of parseIfInet6(readProc(`${pid}/net/if_inet6`) ?? "")) {
        this.#listed.addIpv6(address);
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
