/** The errors that end the program with a message for its user and no stack trace. */
import { linesOf } from "./printable.ts";

/** A wrong flag, config or path. Exit status 2. The message may hold several lines. */
export class UsageError extends Error {
  /** Distinguishes it from other errors. */
  override readonly name = "UsageError";
}

/** The kernel or the host makes it impossible to run. Exit status 1. The message may hold several lines. */
export class HostError extends Error {
  /** Distinguishes it from other errors. */
  override readonly name = "HostError";
}

const COLOUR = new RegExp("\u001b\\[[0-9;]*m", "g"); // SGR, ECMA-48

/**
 * What was thrown, in words, without the colours that Deno's loader puts into them. Foreign code
 * may throw anything, even what is not text.
 */
export function messageOf(thrown: unknown): string {
  return asText(() => thrown instanceof Error ? thrown.message || thrown.name : thrown);
}

function asText(read: () => unknown): string {
  try {
    return String(read()).replaceAll(COLOUR, "");
  } catch {
    return "something that is neither an error nor text";
  }
}

/** What ended a part of the program, for its user: an unexpected failure is called that. */
export function describeFailure(thrown: unknown): string {
  if (thrown instanceof UsageError || thrown instanceof HostError) return thrown.message;
  return missingPackage(thrown) ??
    linesOf(`unexpected failure: ${asText(() => thrown)}`).join("\n");
}

/** Why Deno could not get a package of npm; undefined if that is not what was thrown. */
export function npmFailure(
  thrown: unknown,
): { readonly name: string; readonly reason: string } | undefined {
  const [, name, reason] =
    /^Failed caching npm package '(.+)'\n *0: (.+?)\.?$/m.exec(messageOf(thrown)) ?? [];
  return name === undefined || reason === undefined ? undefined : { name, reason };
}

/** The message for a failed import of ours; undefined unless Deno could not get a package. */
export function missingPackage(thrown: unknown): string | undefined {
  const failure = npmFailure(thrown);
  if (failure === undefined) return undefined;
  const root = new URL("../..", import.meta.url);
  const command = root.protocol === "file:"
    ? `cd ${decodeURIComponent(root.pathname)} && deno install --frozen --entrypoint mod.ts`
    : `deno cache ${root}mod.ts`;
  return `cannot load npm:${failure.name}: ${failure.reason}; to download what runs use: ${command}`;
}
