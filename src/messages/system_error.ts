/** Errors of the operating system, in words for the user. */

/** Whether the operating system refused: a full disk, say, rather than a bug. */
export function isSystemError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}

/** The system's own words, without number, call and path: `No space left on device`. */
export function systemReason(error: Error): string {
  return error.message.replace(/ \(os error \d+\).*$/s, "");
}
