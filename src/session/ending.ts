/** How a session ended, derived from its last state, the socket's error and its flags. */
import { constants } from "node:os";
import { FLAG } from "./record_layout.ts";
import type { Session } from "./session.ts";

/** `tcpspan.close.by`, `tcpspan.close.reason` and, only on failure, `error.type`. */
export interface Ending {
  /** Who ended it first; `kernel` if it gave up waiting. */
  readonly by: "local" | "peer" | "kernel";
  /** In which way; `aborted` by a reset that this end sent. */
  readonly reason: "fin" | "reset" | "refused" | "timeout" | "unreachable" | "aborted" | "error";
  /** Only on failure. */
  readonly error?: { readonly type: string; readonly message: string };
}

/** The same ending by each who may have ended it first. */
type Endings = Readonly<Record<Ending["by"], Ending>>;

const { errno } = constants;

const ERROR_TYPES: Record<number, string> = {
  [errno.ECONNREFUSED]: "connection_refused",
  [errno.ECONNRESET]: "connection_reset",
  [errno.ETIMEDOUT]: "timed_out",
  [errno.EHOSTUNREACH]: "host_unreachable",
  [errno.ENETUNREACH]: "network_unreachable",
};

const FIN = endings("fin");
const ABORTED = endings("aborted");
const NO_PORT = failures("error", errno.EADDRNOTAVAIL, "no local port was free");
const REFUSED = failures("refused", errno.ECONNREFUSED, "the peer refused the connection");
const NO_ANSWER = failures("timeout", errno.ETIMEDOUT, "the peer did not answer the SYN");
const ATTEMPT_RESET = failures("reset", errno.ECONNRESET, "the peer reset the connection attempt");
const NO_HOST = failures("unreachable", errno.EHOSTUNREACH, "the host cannot be reached");
const NO_NETWORK = failures("unreachable", errno.ENETUNREACH, "the network cannot be reached");
const RESET = failures("reset", errno.ECONNRESET, "the peer reset the connection");
const DATA_UNACKED = failures("timeout", errno.ETIMEDOUT, "the peer acknowledged no more data");
const FIN_UNACKED = failures("timeout", errno.ETIMEDOUT, "the peer did not acknowledge the FIN");
const SILENT = failures("timeout", errno.ETIMEDOUT, "the peer stopped answering keepalives");
const HOST_LOST = failures("timeout", errno.EHOSTUNREACH, "the host could no longer be reached");
const NETWORK_LOST = failures(
  "timeout",
  errno.ENETUNREACH,
  "the network could no longer be reached",
);
const attemptFailures = new Map<number, Endings>();
const otherFailures = new Map<number, Endings>();

/**
 * The ending of `session`: the same object for the same ending. Orderly closes and the local end's
 * own aborts are not failures.
 */
export function endingOf(session: Session): Ending {
  return session.established ? afterHandshake(session) : ofAttempt(session);
}

function ofAttempt(session: Session): Ending {
  switch (session.errno) {
    case 0:
      return (session.shutdown & 2) === 0 && session.localPort === 0
        ? NO_PORT.kernel
        : ABORTED.local;
    case errno.ECONNABORTED:
      return ABORTED.kernel;
    case errno.ECONNREFUSED:
      return REFUSED.peer;
    case errno.ETIMEDOUT:
      return NO_ANSWER.kernel;
    case errno.ECONNRESET:
      return ATTEMPT_RESET.peer;
    case errno.EHOSTUNREACH:
      return NO_HOST.kernel;
    case errno.ENETUNREACH:
      return NO_NETWORK.kernel;
    default:
      return rare(attemptFailures, session.errno, "the connection attempt failed").kernel;
  }
}

function afterHandshake(session: Session): Ending {
  const first = firstFin(session);
  if (hasClosed(session) || hasClosedMptcp(session)) return FIN[first ?? "local"];
  // this end sent the reset: no process was left to take what the peer sent
  const refused = session.errno === errno.ECONNRESET && session.has(FLAG.REFUSED_DATA);
  switch (refused ? 0 : session.errno) {
    case 0:
      return ABORTED[first ?? "local"];
    case errno.ECONNABORTED:
      return ABORTED[first ?? "kernel"];
    case errno.ECONNRESET:
    case errno.EPIPE: // what the kernel reports for a reset after the peer's FIN
      return RESET[first ?? "peer"];
    case errno.ETIMEDOUT:
      return unanswered(session)[first ?? "kernel"];
    case errno.EHOSTUNREACH:
      return HOST_LOST[first ?? "kernel"];
    case errno.ENETUNREACH:
      return NETWORK_LOST[first ?? "kernel"];
    default:
      return rare(otherFailures, session.errno, "the connection failed")[first ?? "kernel"];
  }
}

/** Whose FIN was the first, if there was one. */
function firstFin(session: Session): "local" | "peer" | undefined {
  if (session.has(FLAG.PEER_FIN_FIRST)) return "peer";
  if (session.has(FLAG.LOCAL_FIN_FIRST)) return "local";
  // the events of the FINs were not seen
  switch (session.lastState) {
    case "close_wait":
    case "last_ack":
      return "peer";
    case "fin_wait1":
    case "fin_wait2":
      return "local";
  }
  return undefined;
}

/** Whether both ends have closed, or this one has and its process is gone; sk_err may be stale. */
function hasClosed(session: Session): boolean {
  switch (session.lastState) {
    case "time_wait":
      return true;
    case "closing":
    case "last_ack":
      return session.finAcked;
    case "fin_wait2": {
      if (session.has(FLAG.SOCK_DONE)) return true;
      // without the peer's FIN a close ends this state, unless it is an abort, or an error does
      const aborts = session.has(FLAG.OWNED) &&
        (session.has(FLAG.LINGER_ZERO) || session.unreadBytes !== 0);
      return session.shutdown === 3 && !aborts;
    }
    default:
      return false;
  }
}

/**
 * Whether a reset met what an MPTCP connection left behind: its process had closed it, and all was
 * acknowledged. TCP would be in FIN_WAIT2; MPTCP sends a DATA_FIN, and the subflow stays established.
 */
function hasClosedMptcp(session: Session): boolean {
  return session.has(FLAG.MPTCP | FLAG.LOCAL_FIN_FIRST | FLAG.ALL_READ) &&
    session.errno === errno.ECONNRESET && session.unackedBytes === 0;
}

function unanswered(session: Session): Endings {
  if (session.unackedBytes > 0) return DATA_UNACKED;
  return session.finSent ? FIN_UNACKED : SILENT;
}

function endings(reason: Ending["reason"], error?: Ending["error"]): Endings {
  const by = (by: Ending["by"]): Ending => error ? { by, reason, error } : { by, reason };
  return { local: by("local"), peer: by("peer"), kernel: by("kernel") };
}

function failures(reason: Ending["reason"], code: number, message: string): Endings {
  return endings(reason, { type: errorType(code), message });
}

/** Failures of an errno that has no case of its own. */
function rare(known: Map<number, Endings>, code: number, message: string): Endings {
  let found = known.get(code);
  if (found === undefined) known.set(code, found = failures("error", code, message));
  return found;
}

function errorType(code: number): string {
  const name = Object.entries(errno).find(([, value]) => value === code)?.[0];
  return ERROR_TYPES[code] ?? name?.toLowerCase() ?? `errno_${code}`;
}
