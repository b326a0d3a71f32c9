/** What the program says to its user: on stderr, since stdout carries data alone. */

const encoder = new TextEncoder();

/** Writes one message; a message of several lines gets the program's name in front of the first. */
export function say(message: string): void {
  try {
    Deno.stderr.writeSync(encoder.encode(`tcpspan: ${message}\n`));
  } catch {
    // nobody can be told that nobody can be told
  }
}

/** A number of sessions in words: `1 session`, `2 sessions`. */
export function countSessions(count: number): string {
  return `${count} ${count === 1 ? "session" : "sessions"}`;
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
