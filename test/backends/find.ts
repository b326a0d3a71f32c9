/** Where the servers that the tests talk to are installed. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * The path of a server's program: in the cache that `./setup.sh --dev` fills (`TCPSPAN_CACHE`, or
 * /var/cache/tcpspan), else on the PATH.
 * @throws {Error} if it is in neither; tests that need it must fail, not skip
 */
export function findBackend(name: "jaeger" | "otelcol"): string {
  const cache = Deno.env.get("TCPSPAN_CACHE") || "/var/cache/tcpspan";
  const folders = [join(cache, "bin"), ...(Deno.env.get("PATH") ?? "").split(delimiter)];
  for (const folder of folders) {
    const path = join(folder, name);
    if (folder !== "" && isExecutable(path)) return path;
  }
  throw new Error(
    `cannot find ${name} in ${join(cache, "bin")} or on the PATH: run ./setup.sh --dev`,
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
