/** What a value must be, as code and as text. */
import type { Amount } from "./case.ts";
import { TOLERANCE_NS, type Window } from "./window.ts";

/** A field with a wrong value. */
export interface Fault {
  readonly field: string;
  readonly expected: string;
  readonly found: string;
}

/** A condition on one value. */
export interface Check {
  /** The condition in words. */
  readonly text: string;
  /** Whether the field may be missing. */
  readonly optional?: boolean;
  fits(value: unknown): boolean;
}

/** This very value. */
export function is(wanted: unknown): Check {
  return { text: show(wanted), fits: (value) => value === wanted };
}

/** One of these values. */
export function oneOf(wanted: readonly unknown[]): Check {
  return { text: wanted.map(show).join(" or "), fits: (value) => wanted.includes(value) };
}

/** Text of a shape. */
export function like(pattern: RegExp): Check {
  const fits = (value: unknown) => typeof value === "string" && pattern.test(value);
  return { text: String(pattern), fits };
}

/** A number, or one within bounds. */
export function amount(wanted: Amount): Check {
  if (typeof wanted === "number") return is(wanted);
  const [low, high] = wanted;
  const fits = (value: unknown) => typeof value === "number" && value >= low && value <= high;
  return { text: `${low} to ${high}`, fits };
}

/** A time of RFC 3339 in a window, within the tolerance. */
export function during(window: Window): Check {
  const from = window.from - TOLERANCE_NS;
  const to = window.to + TOLERANCE_NS;
  return {
    text: `${showTime(from)} to ${showTime(to)}`,
    fits: (value) => {
      const time = parseTime(value);
      return time !== undefined && time >= from && time <= to;
    },
  };
}

/** A value as in `check`, or none. */
export function optional(check: Check): Check {
  return { text: `${check.text}, or nothing`, optional: true, fits: (value) => check.fits(value) };
}

/** Compares an object's fields: there must be those with checks and no others. */
export function compare(
  checks: Readonly<Record<string, Check>>,
  found: Readonly<Record<string, unknown>>,
): Fault[] {
  const faults: Fault[] = [];
  for (const field of new Set([...Object.keys(checks), ...Object.keys(found)])) {
    const check = checks[field];
    const value = found[field];
    if (check === undefined) {
      faults.push({ field, expected: "nothing", found: show(value) });
    } else if (value === undefined ? !check.optional : !check.fits(value)) {
      faults.push({ field, expected: check.text, found: showNear(value, check) });
    }
  }
  return faults;
}

/** Nanoseconds since the epoch of RFC 3339 in UTC with up to nine decimals. */
export function parseTime(value: unknown): bigint | undefined {
  if (typeof value !== "string") return undefined;
  const match = /^(.*?)(?:\.(\d{1,9}))?Z$/.exec(value);
  const seconds = Date.parse(`${match?.[1]}Z`);
  if (match === null || Number.isNaN(seconds)) return undefined;
  return BigInt(seconds) * 1_000_000n + BigInt((match[2] ?? "").padEnd(9, "0"));
}

/** The time of day. */
export function showTime(ns: bigint): string {
  const time = new Date(Number(ns / 1_000_000n)).toISOString();
  return `${time.slice(11, 23)}${String(ns % 1_000_000n).padStart(6, "0").slice(0, 3)}`;
}

function show(value: unknown): string {
  return value === undefined
    ? "nothing"
    : typeof value === "string"
    ? value
    : JSON.stringify(value);
}

function showNear(value: unknown, check: Check): string {
  const time = /^[\d:.]+ to [\d:.]+(, or nothing)?$/.test(check.text)
    ? parseTime(value)
    : undefined;
  return time === undefined ? show(value) : showTime(time);
}
