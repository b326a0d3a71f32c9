/** Whether this process may open as many files as a run takes. */
import type { HostCheck } from "./check.ts";

/**
 * Descriptors that a run takes beside those that are open at its start: maps, programs, links and the
 * readers of walks, with room for exporters.
 */
export const NEEDED_DESCRIPTORS = 64;

/** What to do. */
export const MORE_OPEN_FILES = "raise the limit: ulimit -n 1024 (systemd: LimitNOFILE=1024)";

/** @param spare how many more can be opened. @param limit `ulimit -n` */
export function checkOpenFiles(spare: number, limit: number): HostCheck {
  const name = "open files";
  if (spare >= NEEDED_DESCRIPTORS) return { name, result: "ok", found: `at most ${limit}` };
  return {
    name,
    result: "no",
    found:
      `at most ${limit}, of which ${spare} are left: tracing takes up to ${NEEDED_DESCRIPTORS}`,
    advice: MORE_OPEN_FILES,
  };
}
