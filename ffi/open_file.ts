/** Files that libc opens, because Deno has no API for them or asks for another permission. */
import { check, libc, toCString } from "./libc.ts";
import { O_CLOEXEC } from "./open_flags.ts";

/** A descriptor that is closed when disposed of, and when another program is executed. */
export interface OpenFile extends Disposable {
  readonly fd: number;
}

/** Opens `path` to read. @param flags besides O_RDONLY and O_CLOEXEC. @throws {SystemError} */
export function openFile(path: string, flags = 0): OpenFile {
  const fd = check(`cannot open ${path}`, libc().open(toCString(path), flags | O_CLOEXEC));
  return { fd, [Symbol.dispose]: () => void libc().close(fd) };
}
