/** Whether a module can be loaded, as far as that shows without loading it. */
import { fileURLToPath } from "node:url";
import type { CheckContext } from "../../src/exporter.ts";
import { UsageError } from "../../src/messages/errors.ts";
import { firstLine, moduleUrl, packageHint } from "./load.ts";

/** For `config check`. @throws {UsageError} if it is a file that is not there, or no module at all */
export async function checkModule(
  module: string,
  { id, baseDirectory }: CheckContext,
): Promise<void> {
  const problem = `exporters.${id}.module: cannot load ${module}`;
  try {
    const url = new URL(moduleUrl(module, baseDirectory));
    if (url.protocol !== "file:") return;
    const path = fileURLToPath(url);
    const kind = await kindOf(path);
    if (kind === "file") return;
    throw new UsageError(
      kind === "folder"
        ? `${problem}: ${path} is a directory: name a file in it`
        : `${problem}: there is no file ${path}${packageHint(module)}`,
    );
  } catch (error) {
    if (error instanceof UsageError || error instanceof Deno.errors.NotCapable) throw error;
    throw new UsageError(`${problem}: ${firstLine(error)}`);
  }
}

async function kindOf(path: string): Promise<"file" | "folder" | "nothing"> {
  try {
    return (await Deno.stat(path)).isDirectory ? "folder" : "file";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "nothing";
    throw error;
  }
}
