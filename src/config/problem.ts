/** What is wrong in a config file, and how a message says it. */
import { quote } from "../messages/quote.ts";
import { isSecretKey } from "./secret_values.ts";

/** Keys and list indices from the top of the file to a value. */
export type Path = readonly (string | number)[];

/** One thing that is wrong. */
export interface Problem {
  /** Where in the text, in UTF-16 code units. */
  readonly offset: number;
  readonly path: Path;
  /** What is wrong, a colon, and what was expected. */
  readonly text: string;
}

/**
 * A path as messages show it: `exporters.otlp/jaeger.headers`, `capture.pids[2]`. It hides a key
 * that should name a secret but is not a name: by mistake it may contain the secret.
 */
export function showPath(path: Path): string {
  return path.map((step, i) => {
    if (typeof step === "number") return `[${step}]`;
    const isName = /^[\w./-]+$/.test(step);
    const isSecret = !/^[\w-]*$/.test(step) && path.slice(0, i).some(isSecretKey);
    const key = isSecret ? "…" : isName ? step : quote(step);
    return i === 0 ? key : `.${key}`;
  }).join("");
}

/**
 * Whether messages hide the value at `path`, because it may be a secret.
 * @param expanded whether the environment gave a part of it
 */
export function isHidden(path: Path, expanded: boolean): boolean {
  return expanded || path.some(isSecretKey);
}

/**
 * A value as messages show it, or only its kind if it may be a secret.
 * @param expanded whether the environment gave a part of it
 */
export function showValue(value: unknown, path: Path, expanded: boolean): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  if (isHidden(path, expanded)) {
    const kind = typeof value === "string" ? "text" : `a ${typeof value}`;
    return expanded ? `${kind} from the environment` : kind;
  }
  return typeof value === "string" ? quote(value) : String(value);
}
