/** Faults of tcpspan that are known, and counted apart until they are mended. */
import type { JoinedEnd } from "./ledger.ts";
import type { Mismatch } from "./expect.ts";

/** One of them. */
export interface KnownFault {
  readonly name: string;
  readonly fits: (end: JoinedEnd, mismatch: Mismatch) => boolean;
}

const RESET_FIELDS = new Set([
  "tcpspan.close.reason",
  "error.type",
  "status",
  "status_message",
  "tcpspan.reset.received",
]);
const OWNER_FIELDS = new Set(["process.pid", "thread.name", "tcpspan.owner.source"]);

export const KNOWN_FAULTS: readonly KnownFault[] = [
  {
    name: "a reset in FIN_WAIT2 is reported as fin",
    fits: ({ how, after }, { field, found }) =>
      how === "reset" && after === "own_fin" && RESET_FIELDS.has(field) &&
      (field !== "tcpspan.close.reason" || found === '"fin"'),
  },
  {
    name: "a socket that was reset before its process used it shows the listener's",
    fits: ({ role, how, used, listenerPid, listenerComm }, { field, found }) =>
      role === "server" && how === "reset" && !used && OWNER_FIELDS.has(field) &&
      [String(listenerPid), JSON.stringify(listenerComm), '"listen"'].includes(found),
  },
];
