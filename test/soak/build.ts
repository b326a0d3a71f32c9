/** Builds the load generator, traffic/. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../kernel/host.ts";

/** The program's name. */
export const TRAFFIC = "traffic";

const SOURCES = fileURLToPath(new URL("traffic/", import.meta.url));

/**
 * Compiles it with the compiler that ./setup.sh --dev installs, which keeps its C library there.
 * @returns the program's path, in `folder`
 */
export async function buildTraffic(folder: string): Promise<string> {
  const cache = Deno.env.get("TCPSPAN_CACHE") ?? "/var/cache/tcpspan";
  const zig = join(cache, "bin", "zig");
  const program = join(folder, TRAFFIC);
  const sources = [...Deno.readDirSync(SOURCES)].map(({ name }) => name)
    .filter((name) => name.endsWith(".c")).map((name) => join(SOURCES, name));
  const libraries = join(cache, "zig-cache"); // built once, which takes ten seconds
  await run(
    "env",
    `ZIG_LOCAL_CACHE_DIR=${libraries}`,
    `ZIG_GLOBAL_CACHE_DIR=${libraries}`,
    zig,
    "cc",
    "-target",
    `${Deno.build.arch}-linux-musl`,
    ...[
      "-std=gnu11",
      "-D_GNU_SOURCE",
      "-O2",
      "-Wall",
      "-Wextra",
      "-Werror",
      "-static",
      "-o",
      program,
    ],
    ...sources,
  );
  return program;
}
