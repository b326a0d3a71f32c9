/** Rules that options must fit, checked before anything is done with them. */
import { MAX_DURATION } from "../config/limits.ts";
import type { SamplingOptions } from "../ids/sampling.ts";
import { UsageError } from "../messages/errors.ts";
import { didYouMean } from "../messages/nearest.ts";
import { isCidr } from "../net/cidr.ts";

/** What a value must be. */
export interface Rule {
  /** In words. */
  readonly expected: string;
  fits(value: unknown): boolean;
  /** What is wrong inside a value that fits. @param name the option's */
  problems?(name: string, value: unknown): string[];
}

/** A rule for each option. */
export type Rules<Options> = { readonly [Name in keyof Required<Options>]: Rule };

/**
 * An option that is undefined counts as left out.
 * @param attempt what the options are for, after `cannot`
 * @throws {UsageError} that says all that is wrong with `options`
 */
export function checkOptions<Options>(
  attempt: string,
  options: Options,
  rules: Rules<Options>,
): void {
  const wrong = isObject(options)
    ? problems("", options, rules)
    : [`the options are ${show(options)}, and no object`];
  if (wrong.length > 0) throw new UsageError(`cannot ${attempt}: ${wrong.join("; ")}`);
}

export const boolean: Rule = {
  expected: "true or false",
  fits: (value) => typeof value === "boolean",
};

export const callback: Rule = {
  expected: "a function",
  fits: (value) => typeof value === "function",
};

export function integer(least: number, most: number, what: string): Rule {
  return {
    expected: `${what} from ${least} to ${most}`,
    fits: (value) =>
      typeof value === "number" && Number.isInteger(value) && value >= least && value <= most,
  };
}

/** @param least how many at least */
export function milliseconds(least: number): Rule {
  return integer(least, MAX_DURATION, "milliseconds");
}

export function text(expected: string, fits: (text: string) => boolean = () => true): Rule {
  return { expected, fits: (value) => typeof value === "string" && fits(value) };
}

export function oneOf(...words: readonly string[]): Rule {
  return text(words.map((word) => `"${word}"`).join(" or "), (text) => words.includes(text));
}

export function listOf({ expected, fits }: Rule): Rule {
  return {
    expected: `a list, each ${expected}`,
    fits: (value) => Array.isArray(value) && value.every(fits),
  };
}

/** @param required names of those that cannot be left out */
export function objectOf<Options>(
  rules: Rules<Options>,
  required: readonly (string & keyof Options)[] = [],
): Rule {
  const names = Object.keys(rules);
  return {
    expected: `an object with ${names.slice(0, -1).join(", ")} and ${names.at(-1)}`,
    fits: isObject,
    problems: (name, value) =>
      !isObject(value) ? [] : [
        ...problems(`${name}.`, value, rules),
        ...required.filter((member) => Reflect.get(value, member) === undefined)
          .map((member) => `${name}.${member} is missing`),
      ],
  };
}

export const networks = listOf(text("a network such as 10.0.0.0/8 or fd00::/8", isCidr));

export const sampling = objectOf<SamplingOptions>({
  ratio: {
    expected: "a number above 0, and 1 at most",
    fits: (value) => typeof value === "number" && value > 0 && value <= 1,
  },
  keepErrors: boolean,
  key: text("text"),
}, ["ratio"]);

/** @param prefix of the options' names */
function problems<Options>(prefix: string, options: object, rules: Rules<Options>): string[] {
  const known: Readonly<Record<string, Rule>> = rules;
  return Object.entries(options).flatMap(([name, value]: [string, unknown]) => {
    if (!Object.hasOwn(known, name)) {
      const hint = didYouMean(name, Object.keys(known));
      return [`there is no option ${prefix}${name}${hint && `: ${hint.trim()}`}`];
    }
    const rule = known[name];
    if (value === undefined || rule === undefined) return [];
    if (rule.fits(value)) return rule.problems?.(`${prefix}${name}`, value) ?? [];
    return [`${prefix}${name} is ${show(value)}: expected ${rule.expected}`];
  });
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function show(value: unknown): string {
  return typeof value === "bigint" ? `${value}n` : Deno.inspect(value, { breakLength: Infinity });
}
