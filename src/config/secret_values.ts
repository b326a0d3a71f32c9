/** Which values of a config file are secrets. */
import { keepSecret, keepSecretHeader, keepSecretsOfUrl } from "../messages/secrets.ts";

/** Keys under which values are secrets, which no message may show. */
const SECRET_KEYS: ReadonlySet<string> = new Set(["headers", "key", "options"]);
const LEAST_OPTION = 6; // characters: shorter ones are words such as `json`

/** Whether the value at a path that ends in, or leads through, `key` is a secret. */
export function isSecretKey(key: unknown): boolean {
  return typeof key === "string" && SECRET_KEYS.has(key);
}

/**
 * Keeps all secrets in `value`: texts under secret keys, and the credentials and queries of all
 * URLs. In the options of a module's exporter, the rest of a URL is not a secret, nor are numbers:
 * they are times, sizes and ports.
 * @param above the secret key that it is under
 */
export function keepSecretsOf(value: unknown, above?: string): void {
  if (typeof value === "string") keepSecretsOfUrl(value);
  if (typeof value === "string" || typeof value === "number") {
    keepUnder(above, value);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      const isNearer = isSecretKey(key) && (above === undefined || above === "options");
      keepSecretsOf(inner, isNearer ? key : above);
    }
  }
}

function keepUnder(key: string | undefined, value: string | number): void {
  switch (key) {
    case "headers":
      return keepSecretHeader(String(value));
    case "key":
      return keepSecret(String(value));
    case "options":
      if (typeof value === "number" || URL.canParse(value) || value.length < LEAST_OPTION) return;
      return keepSecret(value);
  }
}
