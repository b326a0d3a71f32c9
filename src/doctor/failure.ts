/** What was tried and failed. */
import { Deadline } from "../abort.ts";
import { describeFailure, HostError, UsageError } from "../messages/errors.ts";
import type { HostCheck } from "../host/check.ts";
import { splitAdvice } from "../host/host_error.ts";

/** Milliseconds that a part which is not tcpspan's own may take. */
export const LIMIT_MS = 10_000;

/** The item of a part that `error` ended; the other parts are still tried. */
export function failureOf(name: string, error: unknown): HostCheck {
  if (error instanceof UsageError || error instanceof HostError) {
    return { name, result: "no", ...splitAdvice(error.message) };
  }
  const found = error instanceof Deno.errors.NotCapable
    ? `Deno's permissions forbid it: ${error.message}; see docs/security.md`
    : describeFailure(error);
  return { name, result: "no", found };
}

/** Aborts after `ms` milliseconds, with a {@linkcode HostError} that says so. */
export function deadline(ms: number): Deadline {
  return new Deadline(ms, new HostError(`no answer within ${ms / 1000} s`));
}
