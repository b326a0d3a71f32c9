const LONGEST = 80;

/**
 * Text of others as a message shows it: in quotes, on one line, without what a terminal would act
 * on, shortened, and without the user name, password and query of a URL.
 */
export function quote(text: string): string {
  const shown = redact(text);
  const short = shown.length > LONGEST ? `${shown.slice(0, LONGEST)}…` : shown;
  return JSON.stringify(short).replaceAll(
    // deno-lint-ignore no-control-regex -- C1 controls and bidirectional overrides act on terminals
    /[\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function redact(text: string): string {
  const withoutUser = text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, "$1***@");
  return withoutUser.replace(/^([a-z][a-z0-9+.-]*:\/\/[^?]*)\?.*$/is, "$1?***");
}
