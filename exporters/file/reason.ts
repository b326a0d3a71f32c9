/** Why a file cannot be written, in words for the user. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { systemReason } from "../../src/messages/system_error.ts";

/** Why the file at `path`, no link, cannot be opened, and what to do about it. */
export function openReason(path: string, error: Error): string {
  if (isWithoutFolder(path, error)) {
    return `there is no folder ${dirname(path)}: create it, or name another`;
  }
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory: name a file in it";
  if (error instanceof Deno.errors.NotADirectory) {
    return `${dirname(path)} is not a directory: name another`;
  }
  return `${systemReason(error)}: name a file that can be written, or change who may write it`;
}

/** Why the file at `path`, no link, cannot be written any more, though it was opened. */
export function writeReason(path: string, error: Error): string {
  return isWithoutFolder(path, error)
    ? `there is no folder ${dirname(path)} any more: create it`
    : systemReason(error);
}

function isWithoutFolder(path: string, error: Error): boolean {
  return error instanceof Deno.errors.NotFound && !existsSync(dirname(path));
}
