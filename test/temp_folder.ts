/** A folder for one test. */

/** An empty folder that is removed when it is disposed of. */
export interface TempFolder extends AsyncDisposable {
  readonly path: string;
}

/** Makes one below the system's folder for temporary files. */
export function makeTempFolder(): Promise<TempFolder> {
  return makeFolder();
}

/** Makes one in memory, for tests of thousands of files that need no disk. */
export function makeMemoryFolder(): Promise<TempFolder> {
  return makeFolder("/dev/shm"); // shm_overview(7)
}

async function makeFolder(dir?: string): Promise<TempFolder> {
  const path = await Deno.makeTempDir({ prefix: "tcpspan-test-", ...(dir && { dir }) });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
