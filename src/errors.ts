/** The errors that end the program with a message for its user and no stack trace. */

/** A wrong flag, config or path. Exit status 2. The message may hold several lines. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The kernel or the host makes it impossible to run. Exit status 1. */
export class HostError extends Error {
  override readonly name = "HostError";
}

/** What was thrown, in words: code of others may throw anything, also what is no text. */
export function messageOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? String(thrown.message || thrown.name) : String(thrown);
  } catch {
    return "something that is neither an error nor text";
  }
}
