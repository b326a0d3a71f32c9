/** What the program says to its user: on stderr, since stdout carries data alone. */

import { printableLines } from "./printable.ts";
import { withoutSecrets } from "./secrets.ts";

const encoder = new TextEncoder();

/** Writes one message, less the secrets in it and what a terminal would act on; a message of several lines gets the program's name in front of the first. */
export function say(message: string): void {
  try {
    Deno.stderr.writeSync(encoder.encode(`tcpspan: ${printableLines(withoutSecrets(message))}\n`));
  } catch {
    // nobody can be told that nobody can be told
  }
}

/** A number of sessions in words: `1 session`, `2 sessions`. */
export function countSessions(count: number): string {
  return `${count} ${count === 1 ? "session" : "sessions"}`;
}
