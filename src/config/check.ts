/** Checks values of a config file against a schema, and says what is wrong with them. */
import * as z from "../../vendor/zod.js";
import type { ConfigDocument } from "./document.ts";
import { quote } from "../messages/quote.ts";
import { hintAtKey, type KeyHome } from "./likely_keys.ts";
import { likelyValues, showLikely } from "./likely_values.ts";
import { isHidden, type Path, type Problem, showPath, showValue } from "./problem.ts";

/** Each tries several values, for what a person may have got wrong. */
const MOST_GUESSES = 10;

/**
 * Checks one value, and adds what is wrong to the document's problems. A value from the environment
 * that looks like a number is text again if text is expected: a token may be all digits.
 * @param homeOf where a key belongs that is in the wrong place
 */
export function checkValue<Output>(
  document: ConfigDocument,
  schema: z.ZodType<Output>,
  value: unknown,
  base: Path,
  homeOf: KeyHome = () => undefined,
): Output | undefined {
  const error = (issue: z.core.$ZodRawIssue) => describeExpected(issue, homeOf);
  let result = schema.safeParse(value, { error });
  if (!result.success) {
    let changed = false;
    for (const issue of result.error.issues) {
      const path = stepsOf(issue.path);
      const text = document.expandedText([...base, ...path]);
      if (text === undefined) continue;
      replace(value, path, text);
      changed = true;
    }
    if (changed) result = schema.safeParse(value, { error });
  }
  if (result.success) return result.data;
  for (const [i, issue] of result.error.issues.entries()) {
    const guess = i < MOST_GUESSES ? guessValue(document, schema, issue, value, base) : "";
    document.problems.push(...problemsOf(document, issue, value, base, guess));
  }
  return undefined;
}

/** The likeliest value that the schema takes in place of a wrong one; not of one that is hidden. */
function guessValue(
  document: ConfigDocument,
  schema: z.ZodType,
  issue: z.core.$ZodIssue,
  value: unknown,
  base: Path,
): string {
  const path = stepsOf(issue.path);
  const found = valueAt(value, path);
  const whole = [...base, ...path];
  const isPlain = typeof found !== "string" || quote(found) === JSON.stringify(found);
  if (found === undefined || !isPlain || isHidden(whole, document.isExpanded(whole))) return "";
  const words = issue.code === "invalid_value" ? issue.values.map(String) : [];
  const fits = (candidate: unknown) => {
    const holder = path.length === 0 ? candidate : value;
    if (path.length > 0) replace(value, path, candidate);
    const { success, error } = schema.safeParse(holder);
    return success || !error.issues.some((other) => isBelow(other.path, issue.path));
  };
  const guess = likelyValues(found, words).find(fits);
  if (path.length > 0) replace(value, path, found);
  return guess === undefined ? "" : `did you mean ${showLikely(guess)}? `;
}

function isBelow(path: readonly PropertyKey[], above: readonly PropertyKey[]): boolean {
  return above.every((step, i) => path[i] === step);
}

function problemsOf(
  document: ConfigDocument,
  issue: z.core.$ZodIssue,
  value: unknown,
  base: Path,
  guess: string,
): Problem[] {
  const inner = stepsOf(issue.path);
  const path = [...base, ...inner];
  if (issue.code === "unrecognized_keys") {
    const texts = issue.message.split("\n");
    return issue.keys.map((key, i) => {
      const offset = document.keyOffset([...path, key]);
      return { offset, path: [...path, key], text: texts[i] ?? "unknown key: expected another" };
    });
  }
  if (issue.code === "invalid_key") {
    const text = `an invalid name: expected ${issue.issues[0]?.message ?? "another name"}`;
    return [{ offset: document.keyOffset(path), path, text }];
  }
  const found = valueAt(value, inner);
  const offset = document.offset(path);
  if (found === undefined) {
    // A value that could not be read is lost; that is reported already.
    if (document.problems.some((other) => showPath(other.path) === showPath(path))) return [];
    return [{ offset, path, text: `missing: expected ${issue.message}` }];
  }
  return [{
    offset,
    path,
    text: `found ${
      showValue(found, path, document.isExpanded(path))
    }: ${guess}expected ${issue.message}`,
  }];
}

/** What is expected, if the schema does not say it itself; for unknown keys, one line per key. */
export function describeExpected(
  issue: z.core.$ZodRawIssue,
  homeOf: KeyHome = () => undefined,
): string | undefined {
  switch (issue.code) {
    case "unrecognized_keys": {
      const known = issue.inst instanceof z.ZodObject ? Object.keys(issue.inst.shape) : [];
      return issue.keys.map((key) =>
        `unknown key: ${hintAtKey(key, known, homeOf)}expected one of ${known.join(", ")}`
      ).join("\n");
    }
    case "invalid_type":
      return KINDS[issue.expected] ?? `a value of type ${issue.expected}`;
    case "invalid_value":
      return issue.values.map(String).join(", ").replace(/, ([^,]*)$/, " or $1");
    default:
      return undefined;
  }
}

const KINDS: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a mapping",
  record: "a mapping",
};

function stepsOf(path: readonly PropertyKey[]): (string | number)[] {
  return path.map((step) => typeof step === "number" ? step : String(step));
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const step of path) {
    if (typeof at !== "object" || at === null) return undefined;
    at = Reflect.get(at, step);
  }
  return at;
}

function replace(value: unknown, path: Path, other: unknown): void {
  const last = path.at(-1);
  const holder = valueAt(value, path.slice(0, -1));
  if (last !== undefined && typeof holder === "object" && holder !== null) {
    Reflect.set(holder, last, other);
  }
}
