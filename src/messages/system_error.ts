/** Errors of the operating system, in words for the user. */

/** Whether the operating system refused, for example because a disk is full: it is not a bug. */
export function isSystemError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}

/** The system's own words, without number, call and path: `No space left on device`. */
export function systemReason(error: Error): string {
  return error.message.replace(/ \(os error \d+\).*$/s, "");
}
