import { printableJson } from "./printable.ts";

const LONGEST = 80;

/**
 * Foreign text as a message shows it: in quotes, on one line, without what a terminal would act on,
 * shortened, and without the user name, password and query of a URL.
 */
export function quote(text: string): string {
  const shown = redact(text);
  const short = shown.length > LONGEST ? `${shown.slice(0, LONGEST)}…` : shown;
  return printableJson(JSON.stringify(short));
}

function redact(text: string): string {
  const withoutUser = /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
    ? text.replace(/^([^:]*:\/\/).*@/s, "$1***@")
    : text.replace(/^.*:.*@/s, "***@"); // user:password@host:port, or a URL with a slip
  return withoutUser.replace(/^([a-z][a-z0-9+.-]*:\/\/[^?]*)\?.*$/is, "$1?***");
}
