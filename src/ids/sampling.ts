/**
 * Consistent probability sampling: a session is kept if the random part of its trace id reaches a
 * threshold, which its spans carry, so that others can scale counts up. After OpenTelemetry's
 * "TraceState: Probability Sampling".
 */
/** Which sessions are kept. */
export interface SamplingOptions {
  /** The part of all sessions that is kept, from 0 (exclusive) to 1. */
  readonly ratio: number;
  /** Whether failures are kept in full. Default false. */
  readonly keepErrors?: boolean;
  /** The site's `trace.key`, which trace ids depend on; empty, the default, for the fixed one. */
  readonly key?: string;
}

/** Hex digits after the leading `f`s, as the specification recommends to SDKs. */
const PRECISION = 4;
/** Those of a double's mantissa. */
const MOST_DIGITS = 13;
const THRESHOLD_DIGITS = 14; // 56 bits

/**
 * The rejection threshold of `ratio` as `th` carries it, hex without trailing zeros, by the
 * specification's own method and precision.
 * @throws {RangeError} if `ratio` is not above 0 and at most 1
 */
export function thresholdText(ratio: number): string {
  if (!(ratio > 0 && ratio <= 1)) {
    throw new RangeError(
      `cannot sample with the ratio ${ratio}: ratios are above 0, and 1 at most`,
    );
  }
  if (ratio === 1) return "0";
  // less than 2^-(4 n) has n leading fs
  const leading = Math.floor(-(Math.floor(Math.log2(ratio)) + 1) / 4);
  const precision = Math.min(MOST_DIGITS - 1, PRECISION + leading);
  // between 1 and 2 all digits after the point are those of the mantissa
  const rejected = 2 - ratio + 0.5 * 16 ** -precision;
  const digits = rejected >= 2
    ? "f".repeat(MOST_DIGITS)
    : BigInt((rejected - 1) * 2 ** (4 * MOST_DIGITS)).toString(16).padStart(MOST_DIGITS, "0");
  return digits.slice(0, precision).replace(/0+$/, "") || "0";
}

/** The number of 56 bits that `th` stands for. */
export function threshold(text: string): bigint {
  return BigInt(`0x${text.padEnd(THRESHOLD_DIGITS, "0")}`);
}
