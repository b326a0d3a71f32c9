/** Whether this process may open enough files for a run. */
import type { HostCheck } from "./check.ts";

/**
 * Descriptors that a table takes besides those that are open at its start, for maps, programs,
 * links and walks: 35 were counted. A change of the options at a reload takes the same number
 * again.
 */
export const NEEDED_DESCRIPTORS = 40;

/** What to do. */
export const MORE_OPEN_FILES = "raise the limit: ulimit -n 1024 (systemd: LimitNOFILE=1024)";

/** @param spare how many more can be opened. @param limit `ulimit -n` */
export function checkOpenFiles(spare: number, limit: number): HostCheck {
  const name = "open files";
  if (spare >= NEEDED_DESCRIPTORS) return { name, result: "ok", found: `at most ${limit}` };
  return {
    name,
    result: "no",
    found: `at most ${limit}, of which ${spare} are left: tracing takes ${NEEDED_DESCRIPTORS}`,
    advice: MORE_OPEN_FILES,
  };
}
