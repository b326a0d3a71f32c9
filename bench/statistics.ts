/** Statistics of repeated measurements. */

/** The value in the middle; NaN if there is none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** The distance between the extremes, as a part of the median. */
export function spread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / median(values);
}

/** Ratios of the two measurements of each round. */
export function ratios(values: readonly number[], peers: readonly number[]): number[] {
  return values.slice(0, peers.length).map((value, i) => value / (peers[i] ?? NaN));
}
