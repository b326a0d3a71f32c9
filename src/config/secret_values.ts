/** Which values of a config file are secrets. */
import { keepSecret, keepSecretHeader, keepSecretsOfUrl } from "../secrets.ts";

/** Keys under which values are secrets, which no message may show. */
const SECRET_KEYS: ReadonlySet<string> = new Set(["headers", "key", "options"]);
const LEAST_OPTION = 6; // characters: shorter ones are words such as `json`

/** Whether the value at a path that ends in, or leads through, `key` is a secret. */
export function isSecretKey(key: unknown): boolean {
  return typeof key === "string" && SECRET_KEYS.has(key);
}

/**
 * Keeps all secrets in `value`: texts under secret keys, and what URLs anywhere have of credentials
 * and queries. Of the options of a module's exporter, URLs are no secrets but for that.
 * @param above the nearest secret key around it
 */
export function keepSecretsOf(value: unknown, above?: string): void {
  if (typeof value === "string") {
    keepSecretsOfUrl(value);
    if (above === "options") {
      if (!URL.canParse(value) && value.length >= LEAST_OPTION) keepSecret(value);
    } else if (above !== undefined) {
      keepSecretHeader(value);
    }
  } else if (typeof value === "number" && above !== undefined) {
    keepSecret(String(value));
  } else if (typeof value === "object" && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      keepSecretsOf(inner, above ?? (isSecretKey(key) ? key : undefined));
    }
  }
}
