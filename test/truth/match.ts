/** Finds which span or row belongs to which end. */

/** What belongs together. */
export interface Matches<Expected, Found> {
  readonly pairs: readonly (readonly [Expected, Found])[];
  readonly missing: readonly Expected[];
  /** What is left over; `twice` if it repeats something that was expected. */
  readonly extra: readonly { readonly found: Found; readonly twice: boolean }[];
}

/**
 * Gives everything expected the first found thing that fits, by the first rule by which any fits.
 * @param rules the strictest first
 */
export function match<Expected, Found>(
  expected: readonly Expected[],
  found: readonly Found[],
  rules: readonly ((expected: Expected, found: Found) => boolean)[],
): Matches<Expected, Found> {
  const chosen = new Map<Expected, Found>();
  const free = new Set(found);
  for (const fits of rules) {
    for (const one of expected) {
      if (chosen.has(one)) continue;
      const candidate = [...free].find((thing) => fits(one, thing));
      if (candidate === undefined) continue;
      free.delete(candidate);
      chosen.set(one, candidate);
    }
  }
  return {
    pairs: [...chosen],
    missing: expected.filter((one) => !chosen.has(one)),
    extra: [...free].map((thing) => ({
      found: thing,
      twice: expected.some((one) => rules.some((fits) => fits(one, thing))),
    })),
  };
}
