/** The zone of link-local addresses, RFC 4007 section 11. */
import { interfaceName } from "../../ffi/interface_name.ts";
import { readProcLink } from "../host/procfs.ts";
import type { End, Session } from "../session/session.ts";

let ownNetns: number | undefined;

/** Whether the address of `session`'s end has a zone: a link-local one, fe80::/10, if it is known. */
export function hasZone(session: Session, end: End): boolean {
  return session.interfaceIndex !== 0 && session.family === "ipv6" &&
    (session.addressWord(end, 0) & 0xffc00000 | 0) === (0xfe800000 | 0);
}

/**
 * The address of `session`'s end, with its zone if it has one: `fe80::1%eth0`. In a network
 * namespace other than the tracer's, names are unknown: it is `fe80::1%2`.
 */
export function withZone(session: Session, end: End): string {
  const address = session.address(end);
  if (!hasZone(session, end)) return address;
  const { interfaceIndex, netns } = session;
  ownNetns ??= Number(/\d+/.exec(readProcLink("self/ns/net") ?? "")?.[0] ?? 0);
  const name = netns === ownNetns ? interfaceName(interfaceIndex) : undefined;
  return `${address}%${name ?? interfaceIndex}`;
}
