/** `${env:NAME}`, `${env:NAME:-default}` and `$$` in values of the config file. */
import { isScalar, parseDocument } from "../../vendor/yaml.js";
import { quote } from "../messages/quote.ts";

/** Reads an environment variable; an empty one counts as unset, as OpenTelemetry says. */
export type Environment = (name: string) => string | undefined;

/** The expanded text, or what is wrong with it and what is expected instead. */
export type Expansion =
  | {
    readonly text: string;
    /** The text was one reference and nothing else. */
    readonly whole: boolean;
    /** There was a reference in it. */
    readonly expanded: boolean;
  }
  | { readonly problem: string };

const REFERENCE = /^env:([A-Za-z_][A-Za-z0-9_]*)(?::-([^]*))?$/;
const EXPECTED = "expected ${env:NAME}, ${env:NAME:-default}, or $$ for a dollar";

/**
 * Replaces the references in `source` by the variables' values, and `$$` by `$`. The values are not
 * expanded again. A default takes effect, as in a shell, when the variable is unset or empty;
 * without a default that is a problem. A `$` before anything but `{` and `$` stays.
 * @param show how a problem shows a wrong reference
 */
export function expand(
  source: string,
  env: Environment,
  show: (reference: string) => string = quote,
): Expansion {
  let problem: string | undefined;
  let expanded = false;
  const text = source.replaceAll(/\$\$|\$\{[^}]*\}?/g, (found) => {
    if (found === "$$") return "$";
    expanded = true;
    const [, name, fallback] = found.endsWith("}") ? REFERENCE.exec(found.slice(2, -1)) ?? [] : [];
    if (name === undefined || fallback?.includes("${")) {
      problem ??= `${show(found)} is not a reference: ${likely(found, show)}${EXPECTED}`;
      return "";
    }
    const value = env(name) || fallback?.replaceAll("$$", () => "$");
    if (value === undefined) {
      problem ??= `environment variable ${name} is not set, or empty: expected a value for it, ` +
        `or a default as in \${env:${name}:-default}`;
    }
    return value ?? "";
  });
  if (problem !== undefined) return { problem };
  return { text, expanded, whole: expanded && /^\$\{[^}]*\}$/.test(source) };
}

/** A question about the reference that is meant, or nothing; hides what `show` hides. */
function likely(found: string, show: (reference: string) => string): string {
  const [, name, fallback = ""] =
    /^\$\{(?:env[.:])?([A-Za-z_][A-Za-z0-9_]*)((?::?-[^}${]*)?)\}$/i.exec(found) ?? [];
  if (name === undefined || show(found) !== quote(found)) return "";
  const reference = `\${env:${name}${fallback.replace(/^:?-/, ":-")}}`;
  return `did you mean ${quote(reference)}? `;
}

/**
 * The value that `text` has as an unquoted YAML scalar: `8080` is a number, `true` a boolean. Text
 * that is not a scalar by itself stays a string, and so does empty text.
 */
export function retype(text: string): string | number | boolean | null {
  if (text === "") return text;
  const document = parseDocument(text, { schema: "core", prettyErrors: false });
  const node = document.contents;
  if (document.errors.length > 0 || !isScalar(node)) return text;
  if (node.type !== "PLAIN" || node.source !== text) return text;
  const { value } = node;
  return typeof value === "number" || typeof value === "boolean" || value === null ? value : text;
}
