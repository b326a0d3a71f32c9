/** RFC 3339 text of a time in UTC. */

/**
 * @param unixNs nanoseconds since the Unix epoch, not negative
 * @param digits of the fraction of a second: 0 to 9; the rest is cut
 */
export function formatRfc3339(unixNs: bigint, digits: number): string {
  const seconds = new Date(Number(unixNs / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  if (digits === 0) return `${seconds}Z`;
  const fraction = String(unixNs % 1_000_000_000n).padStart(9, "0").slice(0, digits);
  return `${seconds}.${fraction}Z`;
}
