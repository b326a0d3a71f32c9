/** The zone of link-local addresses, RFC 4007 section 11. */
import { interfaceName } from "../ffi/interface_name.ts";
import { readProcLink } from "./procfs.ts";
import type { Session } from "./session.ts";

const LINK_LOCAL = /^fe[89ab]/; // fe80::/10

let ownNetns: number | undefined;

/**
 * `address`, one of `session`'s, with its zone where it is a link-local one: `fe80::1%eth0`. In
 * another network namespace than the tracer's, names cannot be asked for: it is `fe80::1%2`.
 */
export function withZone(address: string, session: Session): string {
  const { interfaceIndex, netns } = session;
  if (interfaceIndex === 0 || !LINK_LOCAL.test(address)) return address;
  ownNetns ??= Number(/\d+/.exec(readProcLink("self/ns/net") ?? "")?.[0] ?? 0);
  const name = netns === ownNetns ? interfaceName(interfaceIndex) : undefined;
  return `${address}%${name ?? interfaceIndex}`;
}
