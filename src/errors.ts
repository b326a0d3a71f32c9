/** The errors that end the program with a message for its user and no stack trace. */

/** A wrong flag, config or path. Exit status 2. The message may hold several lines. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The kernel or the host makes it impossible to run. Exit status 1. */
export class HostError extends Error {
  override readonly name = "HostError";
}
