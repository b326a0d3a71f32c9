/** The error of a host that refuses, with what to do. */
import type { LibbpfError } from "../../ffi/libbpf.ts";
import type { SystemError } from "../../ffi/libc.ts";
import { missingToLoad } from "./capabilities.ts";
import { HostError } from "../messages/errors.ts";
import { kernelRelease } from "./kernel_release.ts";
import { parseLockdown, readLockdown } from "./lockdown.ts";
import { explainRefusal, type RefusedHost } from "./refusal.ts";
import { refusesBpf } from "./seccomp_filter.ts";
import { isInUserNamespace } from "./user_namespace.ts";

const ADVICE = "  -> ";

/** What the kernel refused, in several lines: what was attempted, what it said, what to do. */
export function hostError(error: LibbpfError | SystemError): HostError {
  const lines = error.message.split("\n");
  const advice = explainRefusal({ errno: error.errno, lines }, readHost());
  return new HostError(withAdvice(error.message, advice), { cause: error });
}

/** A message with what to do, each way on a line of its own. */
export function withAdvice(found: string, advice: readonly string[]): string {
  return [found, ...advice.map((line) => `${ADVICE}${line}`)].join("\n");
}

/** The message of such an error in two parts. */
export function splitAdvice(message: string): { readonly found: string; readonly advice?: string } {
  const lines = message.split("\n");
  const advice = lines.filter((line) => line.startsWith(ADVICE));
  const found = lines.filter((line) => !line.startsWith(ADVICE)).join("\n");
  if (advice.length === 0) return { found };
  return { found, advice: advice.map((line) => line.slice(ADVICE.length)).join("\n") };
}

function readHost(): RefusedHost {
  return {
    release: release(),
    missing: missingToLoad(),
    userNamespace: isInUserNamespace(),
    filtered: refusesBpf(),
    lockdown: parseLockdown(readLockdown()),
  };
}

function release(): string {
  try {
    return kernelRelease();
  } catch {
    return "of an unknown release"; // no file can be opened, which another line reports
  }
}
