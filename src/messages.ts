/** Words that several messages share. */

/** A number of sessions in words: `1 session`, `2 sessions`. */
export function countSessions(count: number): string {
  return `${count} ${count === 1 ? "session" : "sessions"}`;
}
