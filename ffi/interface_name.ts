/** Names of network interfaces. */
import { cString, libc } from "./libc.ts";

const IF_NAMESIZE = 16; // NUL included

/** Name of the interface with number `index` in this network namespace; undefined if it has gone. */
export function interfaceName(index: number): string | undefined {
  const buffer = new Uint8Array(IF_NAMESIZE);
  return cString(libc().if_indextoname(index, buffer)) || undefined;
}
