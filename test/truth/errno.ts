/** The `error.type` of an error that a process saw: docs/span.md, docs/kernel.md. */
import { constants } from "node:os";

const { errno } = constants;

const NAMES: ReadonlyMap<number, string> = new Map([
  [errno.ECONNREFUSED, "connection_refused"],
  [errno.ECONNRESET, "connection_reset"],
  [errno.EPIPE, "connection_reset"], // what a reader gets from a reset after the peer's FIN
  [errno.ETIMEDOUT, "timed_out"],
  [errno.EHOSTUNREACH, "host_unreachable"],
  [errno.ENETUNREACH, "network_unreachable"],
]);

/** @param code an errno */
export function errorTypeOf(code: number): string {
  const name = Object.entries(errno).find(([, value]) => value === code)?.[0];
  return NAMES.get(code) ?? name?.toLowerCase() ?? `errno_${code}`;
}
