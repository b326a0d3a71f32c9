/** The user name and password in a URL. */

/** Both decoded; empty if the URL has none. */
export function urlCredentials(url: URL): { username: string; password: string } {
  return { username: decode(url.username), password: decode(url.password) };
}

/** Text with a lone `%` stands for itself. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
