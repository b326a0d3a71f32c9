/** What is wrong with the path of a file, as far as that shows without opening it. */
import { dirname, resolve } from "node:path";
import type { CheckContext } from "../../src/exporter.ts";
import { isOpenFile, targetOf } from "../../src/host/link_target.ts";
import { UsageError } from "../../src/messages/errors.ts";
import { openReason } from "./reason.ts";
import type { FileSettings } from "./settings.ts";

/** For `config check`. @throws {UsageError} if the file cannot be written, whoever tries it */
export async function checkFile(
  settings: FileSettings,
  { id, baseDirectory }: CheckContext,
): Promise<void> {
  const path = resolve(baseDirectory, settings.path);
  await requireUsable(path, id);
  const target = await targetOf(path);
  try {
    if (!(await Deno.stat(dirname(target))).isDirectory) throw new Deno.errors.NotADirectory();
    if (await isDirectory(target)) throw new Deno.errors.IsADirectory();
  } catch (error) {
    // a folder that this user may not search may be open to the one who runs tcpspan
    if (!isAbsent(error)) return;
    throw unwritable(path, id, openReason(target, error));
  }
}

function isAbsent(error: unknown): error is Error {
  const { NotFound, NotADirectory, IsADirectory, FilesystemLoop } = Deno.errors;
  return [NotFound, NotADirectory, IsADirectory, FilesystemLoop]
    .some((kind) => error instanceof kind);
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false; // it will be created
    throw error;
  }
}

/**
 * Refuses what cannot be put aside and started again.
 * @param id the exporter's id in the config. @throws {UsageError}
 */
export async function requireUsable(path: string, id: string): Promise<void> {
  if (await isOpenFile(await targetOf(path))) { // /dev/stdout, perhaps redirected to a file
    throw unwritable(
      path,
      id,
      "it is an open file of a process: name another, or use a stdout exporter",
    );
  }
  if (await isSpecial(path)) {
    throw unwritable(path, id, "it is not a regular file: name another");
  }
}

/** Whether something is at `path` that is no file, such as a pipe. */
async function isSpecial(path: string): Promise<boolean> {
  try {
    const { isFile, isDirectory } = await Deno.stat(path);
    return !isFile && !isDirectory;
  } catch {
    return false; // opening it will say why
  }
}

/** @param id the exporter's id in the config */
export function unwritable(path: string, id: string, reason: string): UsageError {
  return new UsageError(`exporters.${id}.path: cannot write ${path}: ${reason}`);
}
