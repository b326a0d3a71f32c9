/** How a session ended, derived from its last state, the socket's error and its flags. */
import { constants } from "node:os";
import { FLAG } from "./record_layout.ts";
import type { Session } from "./session.ts";

/** `tcpspan.close.by`, `tcpspan.close.reason` and, on failure alone, `error.type`. */
export interface Ending {
  readonly by: "local" | "peer" | "kernel";
  readonly reason: "fin" | "reset" | "refused" | "timeout" | "unreachable" | "aborted" | "error";
  /** On failure alone. */
  readonly error?: { readonly type: string; readonly message: string };
}

const { errno } = constants;

const ERROR_TYPES: Record<number, string> = {
  [errno.ECONNREFUSED]: "connection_refused",
  [errno.ECONNRESET]: "connection_reset",
  [errno.ETIMEDOUT]: "timed_out",
  [errno.EHOSTUNREACH]: "host_unreachable",
  [errno.ENETUNREACH]: "network_unreachable",
};

/** The ending of `session`. Both of the local end's own aborts and orderly closes are no failures. */
export function endingOf(session: Session): Ending {
  return session.established ? afterHandshake(session) : ofAttempt(session);
}

function ofAttempt(session: Session): Ending {
  switch (session.errno) {
    case 0:
      if ((session.shutdown & 2) === 0 && session.localPort === 0) {
        return fail("kernel", "error", errno.EADDRNOTAVAIL, "no local port was free");
      }
      return { by: "local", reason: "aborted" };
    case errno.ECONNABORTED:
      return { by: "kernel", reason: "aborted" };
    case errno.ECONNREFUSED:
      return fail("peer", "refused", session.errno, "the peer refused the connection");
    case errno.ETIMEDOUT:
      return fail("kernel", "timeout", session.errno, "the peer did not answer the SYN");
    case errno.ECONNRESET:
      return fail("peer", "reset", session.errno, "the peer reset the connection attempt");
    case errno.EHOSTUNREACH:
      return fail("kernel", "unreachable", session.errno, "the host cannot be reached");
    case errno.ENETUNREACH:
      return fail("kernel", "unreachable", session.errno, "the network cannot be reached");
    default:
      return fail("kernel", "error", session.errno, "the connection attempt failed");
  }
}

function afterHandshake(session: Session): Ending {
  const first = firstFin(session);
  if (hasClosed(session)) return { by: first ?? "local", reason: "fin" };
  // no reset came, one was sent: nobody was left to take what the peer sent
  const refused = session.errno === errno.ECONNRESET && session.has(FLAG.REFUSED_DATA);
  switch (refused ? 0 : session.errno) {
    case 0:
      return { by: first ?? "local", reason: "aborted" };
    case errno.ECONNABORTED:
      return { by: first ?? "kernel", reason: "aborted" };
    case errno.ECONNRESET:
    case errno.EPIPE: // what the kernel makes of a reset after the peer's FIN
      return fail(first ?? "peer", "reset", errno.ECONNRESET, "the peer reset the connection");
    case errno.ETIMEDOUT:
      return fail(first ?? "kernel", "timeout", session.errno, unanswered(session));
    case errno.EHOSTUNREACH:
      return fail(
        first ?? "kernel",
        "timeout",
        session.errno,
        "the host could no longer be reached",
      );
    case errno.ENETUNREACH:
      return fail(
        first ?? "kernel",
        "timeout",
        session.errno,
        "the network could no longer be reached",
      );
    default:
      return fail(first ?? "kernel", "error", session.errno, "the connection failed");
  }
}

/** Whose FIN was the first, where there was one. */
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

/** Whether both ends have closed, or this one and its process is gone; sk_err may be a stale one. */
function hasClosed(session: Session): boolean {
  switch (session.lastState) {
    case "time_wait":
      return true;
    case "closing":
    case "last_ack":
      return session.finAcked;
    case "fin_wait2": {
      if (session.has(FLAG.SOCK_DONE)) return true;
      // without the peer's FIN it is left by a close, unless that is an abort, or by an error
      const aborts = session.has(FLAG.OWNED) &&
        (session.has(FLAG.LINGER_ZERO) || session.unreadBytes !== 0);
      return session.shutdown === 3 && !aborts;
    }
    default:
      return false;
  }
}

function unanswered(session: Session): string {
  if (session.unackedBytes > 0) return "the peer acknowledged no more data";
  return session.finSent
    ? "the peer did not acknowledge the FIN"
    : "the peer stopped answering keepalives";
}

function fail(
  by: Ending["by"],
  reason: Ending["reason"],
  code: number,
  message: string,
): Ending {
  return { by, reason, error: { type: errorType(code), message } };
}

function errorType(code: number): string {
  const name = Object.entries(errno).find(([, value]) => value === code)?.[0];
  return ERROR_TYPES[code] ?? name?.toLowerCase() ?? `errno_${code}`;
}
