/** A folder for one test. */

/** An empty folder that is removed when it is disposed of. */
export interface TempFolder extends AsyncDisposable {
  readonly path: string;
}

/** Makes one below the system's folder for temporary files. */
export async function makeTempFolder(): Promise<TempFolder> {
  const path = await Deno.makeTempDir({ prefix: "tcpspan-test-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
