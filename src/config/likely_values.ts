/** What somebody may have meant by a value that the schema refuses. */
import { nearest } from "../messages/nearest.ts";
import { likelyDurations, likelyRanges, likelySizes } from "./units.ts";

const ON = /^(true|yes|y|on|1|enabled?)$/i;
const OFF = /^(false|no|n|off|0|disabled?|none|never)$/i;

/**
 * Values that may be meant, the likeliest first; the schema decides which of them are allowed.
 * @param words those that are allowed, if only some are
 */
export function likelyValues(found: unknown, words: readonly string[] = []): readonly unknown[] {
  if (Array.isArray(found)) return found.every(isWord) ? [emptySections(found)] : [];
  if (found === true || found === false) return [{ enabled: found }];
  if (typeof found !== "string" && typeof found !== "number") return [];
  const text = String(found).trim();
  const parts = text.split(/[\s,]+/).filter((part) => part !== "").map(numberIfOne);
  return [
    text,
    ...ON.test(text) ? [true] : OFF.test(text) ? ["off", false] : [],
    ...likelyWords(text, words),
    ...likelyDurations(text),
    ...likelySizes(text),
    ...likelyRanges(text),
    ...likelyPlaces(text),
    ...likelyShares(text),
    numberIfOne(text),
    ...parts.length > 0 ? [parts, parts.map(String)] : [],
    ...isWord(text) ? [emptySections([text])] : [],
  ].filter((value) => value !== found);
}

function likelyWords(text: string, words: readonly string[]): string[] {
  const near = nearest(text, words);
  const folded = text.toLowerCase();
  const parts = words.filter((word) => word.includes(folded));
  const part = parts.length === 1 || parts[0]?.startsWith(`${folded}/`) ? parts[0] : undefined;
  return [near, part].filter((word) => word !== undefined);
}

/** A URL for `host:4318`, an address of this host for `9464` or `0.0.0.0:9464`. */
function likelyPlaces(text: string): string[] {
  const [, port] = /^(?:0\.0\.0\.0:|localhost:|\[::\]:|:)?(\d{1,5})$/.exec(text) ?? [];
  const isPlace = /^[\w.-]+:\d{1,5}(\/|$)/.test(text);
  return [isPlace ? [`http://${text}`] : [], port === undefined ? [] : [`127.0.0.1:${port}`]]
    .flat();
}

/** `10%`, `10`: a tenth. */
function likelyShares(text: string): number[] {
  const [, percent] = /^(\d+(?:\.\d+)?)\s*%$/.exec(text) ?? /^([1-9]\d+)$/.exec(text) ?? [];
  const share = Number(percent) / 100;
  return share > 0 && share <= 1 ? [share] : [];
}

function numberIfOne(text: string): string | number {
  return /^\d{1,15}$/.test(text) ? Number(text) : text;
}

function isWord(value: unknown): value is string {
  return typeof value === "string" && /^[a-z][\w/-]*$/i.test(value);
}

/** `[otlp]` for `otlp: {}` */
function emptySections(names: readonly string[]): Readonly<Record<string, object>> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

/** A value as the config file may have it, on one line. */
export function showLikely(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => showLikely(item)).join(", ")}]`;
  const members = Object.entries(value).map(([key, item]) => `${key}: ${showLikely(item)}`);
  return members.length === 0 ? "{}" : `{ ${members.join(", ")} }`;
}
