/** What the kernel calls itself. */
import { check, libc } from "./libc.ts";

const LENGTH = 65; // of each member of struct utsname
const RELEASE = 2; // sysname, nodename, release, …

/** The kernel's release, as `6.1.0-18-amd64` (uname(2)): it needs neither /proc nor a descriptor. */
export function unameRelease(): string {
  const names = new Uint8Array(6 * LENGTH);
  check("cannot ask for the kernel's release", libc().uname(names));
  const release = names.subarray(RELEASE * LENGTH, (RELEASE + 1) * LENGTH);
  return new TextDecoder().decode(release.subarray(0, release.indexOf(0)));
}
