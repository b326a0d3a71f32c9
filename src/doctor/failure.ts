/** What was tried, and failed. */
import { HostError, messageOf, missingPackage, UsageError } from "../errors.ts";
import type { HostCheck } from "../host/check.ts";
import { splitAdvice } from "../host/host_error.ts";

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
