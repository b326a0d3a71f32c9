/** The capabilities of this thread: capget(2), which needs no /proc. */
import { check, libc } from "./libc.ts";

const VERSION_3 = 0x20080522; // include/uapi/linux/capability.h

/** Those in force, a bit for each: bit 39 is CAP_BPF. */
export function effectiveCapabilities(): bigint {
  const header = new Uint32Array([VERSION_3, 0]); // 0: the calling thread
  const data = new Uint32Array(6); // effective, permitted, inheritable; then the upper 32 bits of each
  check("cannot ask for capabilities", libc().capget(header, data));
  return BigInt(data[0] ?? 0) | BigInt(data[3] ?? 0) << 32n;
}
