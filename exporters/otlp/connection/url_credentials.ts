/** The user name and password in a URL. */

/** As the value of a header (RFC 7617), a secret; undefined if the URL has none. */
export function basicAuthorization({ username, password }: URL): string | undefined {
  if (username === "" && password === "") return undefined;
  const bytes = new TextEncoder().encode(`${decode(username)}:${decode(password)}`);
  return `Basic ${bytes.toBase64()}`;
}

/** Text with a lone `%` stands for itself. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
