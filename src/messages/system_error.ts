/** Errors of the operating system, in words for the user. */

const NUMBER = / \(os error \d+\)/;

/** Whether the operating system refused, for example because a disk is full: it is not a bug. */
export function isSystemError(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  // Deno gives a code only to errors that it knows by name; EFBIG is none of them
  return "code" in error && typeof error.code === "string" || NUMBER.test(error.message);
}

/** The system's own words, without number, call and path: `No space left on device`. */
export function systemReason(error: Error): string {
  return error.message.replace(/ \(os error \d+\).*$/s, "");
}
