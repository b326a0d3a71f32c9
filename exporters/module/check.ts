/** Whether a module can be loaded, as far as that shows without loading it. */
import { fileURLToPath } from "node:url";
import type { CheckContext } from "../../src/exporter.ts";
import { UsageError } from "../../src/messages/errors.ts";
import { moduleUrl, packageHint } from "./load.ts";

/** For `config check`. @throws {UsageError} if it is a file that is not there */
export async function checkModule(
  module: string,
  { id, baseDirectory }: CheckContext,
): Promise<void> {
  const problem = `exporters.${id}.module: cannot load ${module}`;
  const url = moduleUrl(module, baseDirectory);
  if (new URL(url).protocol !== "file:") return;
  const path = fileURLToPath(url);
  try {
    if ((await Deno.stat(path)).isDirectory) {
      throw new UsageError(`${problem}: ${path} is a directory: name a file in it`);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new UsageError(`${problem}: there is no file ${path}${packageHint(module)}`);
  }
}
