/** How many descriptors this process may have. */
import { constants } from "node:os";
import { check, libc, SystemError } from "./libc.ts";
import { O_CLOEXEC } from "./open_flags.ts";

const { EMFILE, ENFILE } = constants.errno;
const SC_OPEN_MAX = 4;

/** The number of descriptors that a process may have (`ulimit -n`). */
export function descriptorLimit(): number {
  return Number(libc().sysconf(SC_OPEN_MAX));
}

/**
 * How many more can be opened now, found out by doing it, at most `most`.
 * @throws {SystemError} if that fails for another reason than their number
 */
export function spareDescriptors(most: number): number {
  const opened: number[] = [];
  try {
    while (opened.length < most) {
      opened.push(check("cannot make an eventfd", libc().eventfd(0, O_CLOEXEC)));
    }
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.errno !== EMFILE && error.errno !== ENFILE) throw error;
  } finally {
    for (const fd of opened) libc().close(fd);
  }
  return opened.length;
}
