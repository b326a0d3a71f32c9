/** Secrets of this run, kept out of all that it says. */

/** Shorter ones hide nothing, and would be found in any text. */
const LEAST_LENGTH = 4;
const MASK = "***";

const secrets = new Set<string>();
let ordered: readonly string[] | undefined; // the longest first: a whole before its parts

/** From now on {@linkcode withoutSecrets} hides `secret`, as it is and as URLs and JSON write it. */
export function keepSecret(secret: string): void {
  if (secret.trim().length < LEAST_LENGTH) return;
  const forms = [secret, secret.trim(), JSON.stringify(secret).slice(1, -1)];
  if (secret.isWellFormed()) forms.push(encodeURIComponent(secret));
  for (const form of forms) secrets.add(form);
  ordered = undefined;
}

/** Keeps a header's value, and its parts: `Bearer TOKEN`, `tenant=NAME`. */
export function keepSecretHeader(value: string): void {
  for (const secret of [value, ...value.split(/[\s,;=]+/)]) keepSecret(secret);
}

/** Keeps the user name, the password and the query of a URL, if `text` is one that has them. */
export function keepSecretsOfUrl(text: string): void {
  const url = URL.parse(text);
  if (url === null) return;
  for (const part of [url.password, url.search.slice(1), ...url.searchParams.values()]) {
    keepSecret(part);
    keepSecret(decoded(part));
  }
  // one name alone may be a token: https://TOKEN@host
  if (url.password === "") keepSecret(decoded(url.username));
}

/** `text`, with each secret in it replaced. */
export function withoutSecrets(text: string): string {
  if (secrets.size === 0) return text;
  ordered ??= [...secrets].sort((a, b) => b.length - a.length);
  return ordered.reduce((shown, secret) => shown.replaceAll(secret, MASK), text);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone percent sign
  }
}
