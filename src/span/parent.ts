/** Whether a server's span names the client's as its parent. */
import type { SessionBatch } from "../session/batch.ts";
import { Networks } from "../net/networks.ts";
import type { ScanBudget } from "../host/scan_budget.ts";
import { HostAddresses } from "./host_addresses.ts";
import type { Session } from "../session/session.ts";

/** `trace.parent` and `trace.peers` of the config. */
export interface ParentSettings {
  /** `auto`: if the client's span is exported, by this host or by one of `peers`. */
  readonly parent: "auto" | "always" | "never";
  /** Networks whose hosts run tcpspan too. */
  readonly peers: readonly string[];
}

/** Trace viewers warn of a parent that is missing, so it is named only if it is exported. */
export class ParentRule {
  readonly #parent: ParentSettings["parent"];
  readonly #peers: Networks;
  readonly #host: HostAddresses;

  /** @param scans for those of this host's addresses */
  constructor(settings: ParentSettings, scans?: ScanBudget) {
    this.#host = new HostAddresses(scans);
    this.#parent = settings.parent;
    this.#peers = new Networks(settings.peers);
  }

  /** Takes note of the local addresses in `batch`: they are this host's. */
  observe(batch: SessionBatch): void {
    if (this.#parent === "auto") this.#host.observe(batch);
  }

  /** Whether the span of `session`, a server's, has a parent. */
  hasParent(session: Session): boolean {
    if (this.#parent !== "auto") return this.#parent === "always";
    if (this.#host.hasPeer(session)) return true;
    return !this.#peers.empty && this.#peers.has(session.peerAddress, session.family);
  }
}
