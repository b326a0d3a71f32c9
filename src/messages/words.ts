/** Words that several messages share. */

/** A number of things in words: `1 program`, `2 programs`. @param thing a word whose plural has an s */
export function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? "" : "s"}`;
}

/** A number of sessions in words: `1 session`, `2 sessions`. */
export function countSessions(number: number): string {
  return count(number, "session");
}

const UNITS = ["B", "KiB", "MiB", "GiB"];

/** A number of bytes as the config file writes it: `16MiB`. */
export function showBytes(bytes: number): string {
  let unit = 0;
  while (unit < UNITS.length - 1 && bytes >= 1024 && bytes % 1024 === 0) {
    bytes /= 1024;
    unit++;
  }
  return `${bytes}${UNITS[unit]}`;
}

/** A duration in milliseconds as the config file writes it: `500ms`, `90s`. */
export function showDuration(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}
