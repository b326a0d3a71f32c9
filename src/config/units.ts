/** Durations, sizes and ranges as the config file and flags write them, and as people write them. */
import { showBytes } from "../messages/words.ts";
import { MAX_DURATION } from "./limits.ts";

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 6e4, h: 3.6e6 };

const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

/** Milliseconds of `500ms`, `30s`, `1h30m`, `1.5s`, whole ones; undefined if it is none, or too long. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    sum += Number(number) * (MILLISECONDS[unit ?? ""] ?? NaN);
  }
  return sum <= MAX_DURATION ? Math.round(sum) : undefined;
}

/** Bytes of `4096B`, `256KiB`, `16MiB`, `1GiB`; undefined if it is none. */
export function parseSize(text: string): number | undefined {
  const [, number, unit] = /^(\d+)(B|KiB|MiB|GiB)$/.exec(text) ?? [];
  const bytes = Number(number) * (BYTES[unit ?? ""] ?? NaN);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

const NUMBER_AND_UNIT = /^(?:pt)?\s*(\d+(?:\.\d+)?)\s*([a-z]*)\.?$/;

/** The form that `1 min`, `1hour`, `2d`, `PT10S` or `500` may stand for. */
export function likelyDurations(text: string): string[] {
  const folded = text.trim().toLowerCase();
  const together = folded.replaceAll(/\s/g, "");
  if (parseDuration(together) !== undefined) return [together];
  const [, number, unit = ""] = NUMBER_AND_UNIT.exec(folded) ?? [];
  if (number === undefined) return [];
  const forms = unit === ""
    ? [`${number}s`]
    : /^(ms|msecs?|millis|milliseconds?)$/.test(unit)
    ? [`${number}ms`]
    : /^(s|secs?|seconds?)$/.test(unit)
    ? [`${number}s`]
    : /^(m|mins?|minutes?)$/.test(unit)
    ? [`${number}m`]
    : /^(h|hrs?|hours?)$/.test(unit)
    ? [`${number}h`]
    : /^(d|days?)$/.test(unit)
    ? [`${Number(number) * 24}h`]
    : [];
  return forms.filter((form) => parseDuration(form) !== undefined);
}

/**
 * The forms that `1GB`, `1 gb`, `100M`, `16Mi`, `1.5GiB` or `4096` may stand for; then the power of
 * two above.
 */
export function likelySizes(text: string): string[] {
  const [, number, unit = ""] = NUMBER_AND_UNIT.exec(text.trim().toLowerCase()) ?? [];
  const [, prefix] = /^([kmgt]?)(i?b?|bytes?)$/.exec(unit) ?? [];
  if (number === undefined || prefix === undefined) return [];
  const bytes = Number(number) * 1024 ** " kmgt".indexOf(prefix || " ");
  if (!Number.isSafeInteger(bytes) || bytes < 1) return [];
  return [showBytes(bytes), showBytes(2 ** Math.ceil(Math.log2(bytes)))];
}

/** The range of ports that `90-80`, `80:90`, `80..90` or `80 - 90` may stand for. */
export function likelyRanges(text: string): string[] {
  const [, one, other] = /^(\d+)\s*(?:-|–|:|\.\.)\s*(\d+)$/.exec(text) ?? [];
  if (one === undefined || other === undefined) return [];
  return [`${Math.min(Number(one), Number(other))}-${Math.max(Number(one), Number(other))}`];
}
