/** Secrets of this run, kept out of all its messages. */

/** Shorter ones protect nothing, and would be found in any text. */
const LEAST_LENGTH = 4;
/** For the parts of a header, which may also be names: `tenant=blue`. */
const LEAST_PART = 8;
/** Counts, ports and times look like it, or contain it. */
const SHORT_NUMBER = /^\d{1,7}$/;
const MASK = "***";

const secrets = new Set<string>();

/** From now on {@linkcode withoutSecrets} hides `secret`, as it is and as URLs and JSON write it. */
export function keepSecret(secret: string): void {
  const bare = secret.trim();
  if (bare.length < LEAST_LENGTH) return;
  const forms = [bare, JSON.stringify(bare).slice(1, -1)];
  if (bare.isWellFormed()) forms.push(encodeURIComponent(bare));
  for (const form of forms) secrets.add(form);
}

/**
 * Keeps a header's value, what follows its first word (`Bearer TOKEN`), and the long values of a
 * list in it (`tenant=NAME, sign=SIGNATURE`).
 */
export function keepSecretHeader(value: string): void {
  keepSecret(value);
  keepSecret(/^\s*\S+\s+(.*)$/s.exec(value)?.[1] ?? "");
  for (const [, quoted, bare = ""] of value.matchAll(/[^\s,;="]+=(?:"([^"]*)"|([^\s,;]+))/g)) {
    const part = quoted ?? bare;
    if (part.length >= LEAST_PART) keepSecret(part);
  }
}

/** Keeps the user name, the password and the query of a URL, if `text` is one that has them. */
export function keepSecretsOfUrl(text: string): void {
  const url = URL.parse(text);
  if (url === null) return;
  const { search, searchParams, username, password } = url;
  for (const part of [password, search.slice(1), ...searchParams.values()]) {
    keepSecret(part);
    keepSecret(decoded(part));
  }
  // a name without a password may be a token: https://TOKEN@host
  if (password === "") keepSecret(decoded(username));
}

/**
 * `text`, with each secret in it replaced: a short number only if it is a whole word. Secrets that
 * overlap, or contain another, are hidden whole.
 */
export function withoutSecrets(text: string): string {
  const found = [...secrets].flatMap((secret) => placesOf(secret, text))
    .sort((a, b) => a.start - b.start);
  let shown = "";
  let end = 0; // of what is hidden
  for (const place of found) {
    if (place.start >= end) shown += text.slice(end, place.start) + MASK;
    end = Math.max(end, place.end);
  }
  return shown + text.slice(end);
}

/** A part of a text: the index of its first character, and of the one after it. */
interface Place {
  readonly start: number;
  readonly end: number;
}

function placesOf(secret: string, text: string): Place[] {
  const exact = RegExp.escape(secret);
  const pattern = SHORT_NUMBER.test(secret) ? `\\b(?=${exact}\\b)` : `(?=${exact})`; // may overlap
  return Array.from(
    text.matchAll(new RegExp(pattern, "g")),
    ({ index }) => ({ start: index, end: index + secret.length }),
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone percent sign
  }
}
