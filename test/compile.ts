/** C programs that tests run. */
import { join } from "node:path";
import { run } from "./kernel/host.ts";

/**
 * Compiles the C sources of a folder with the compiler that ./setup.sh --dev installs, which keeps
 * its C library in the cache.
 * @param program the path to write it to
 */
export async function compile(folder: string, program: string): Promise<void> {
  const cache = Deno.env.get("TCPSPAN_CACHE") ?? "/var/cache/tcpspan";
  const zig = join(cache, "bin", "zig");
  const sources = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name.endsWith(".c")).map((name) => join(folder, name));
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
}
