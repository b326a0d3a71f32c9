/** Where downloads stay: they are hundreds of megabytes. */

/** The folder of kernels and of the parts of guests. */
export const CACHE = `${Deno.env.get("TCPSPAN_CACHE") || "/var/cache/tcpspan"}/kernels`;

/** Runs a command. @returns what it wrote to stdout @throws {Error} with what it wrote to stderr */
export async function run(
  command: string,
  args: readonly string[],
  options: Omit<Deno.CommandOptions, "args"> = {},
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    ...options,
    args: [...args],
  })
    .output();
  const text = new TextDecoder();
  if (success) return text.decode(stdout);
  throw new Error(`cannot run ${command} ${args.join(" ")}: ${text.decode(stderr).trim()}`);
}

/** Makes a complete folder, or none. @returns its path */
export async function madeOnce(
  path: string,
  fill: (folder: string) => Promise<void>,
): Promise<string> {
  try {
    await Deno.stat(path);
    return path;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const folder = `${path}.new`;
  await Deno.remove(folder, { recursive: true }).catch(() => {}); // left by a run that was ended
  await Deno.mkdir(folder, { recursive: true });
  await fill(folder);
  await Deno.rename(folder, path);
  return path;
}
