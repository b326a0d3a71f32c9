/** What was tried, and failed. */
import { HostError, messageOf, missingPackage, UsageError } from "../messages/errors.ts";
import type { HostCheck } from "../host/check.ts";
import { splitAdvice } from "../host/host_error.ts";

/** Milliseconds that a part which is not tcpspan's own may take. */
export const LIMIT_MS = 10_000;

/** The item of what `error` ended: a part that fails takes no other with it. */
export function failureOf(name: string, error: unknown): HostCheck {
  if (error instanceof UsageError || error instanceof HostError) {
    return { name, result: "no", ...splitAdvice(error.message) };
  }
  const found = error instanceof Deno.errors.NotCapable
    ? `Deno's permissions forbid it: ${error.message}; see docs/security.md`
    : missingPackage(error) ?? `unexpected failure: ${messageOf(error)}`;
  return { name, result: "no", found };
}

/** Aborts after `ms` milliseconds, with a {@linkcode HostError} that says so. */
export function deadline(ms: number): AbortSignal {
  const controller = new AbortController();
  // holds the program, which else ends in the middle of what never settles
  setTimeout(() => controller.abort(new HostError(`no answer within ${ms / 1000} s`)), ms);
  return controller.signal;
}
