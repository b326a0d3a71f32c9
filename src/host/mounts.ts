/** What is mounted where: proc_pid_mountinfo(5). */
import { readProc } from "./procfs.ts";

/** A mounted file system. */
export interface Mount {
  readonly folder: string;
  readonly type: string;
  /** Those of the mount and those of the file system. */
  readonly options: readonly string[];
}

/** @param text of /proc/self/mountinfo */
export function parseMounts(text: string): readonly Mount[] {
  return text.split("\n").flatMap((line) => {
    const [mount = "", fileSystem] = line.split(" - ");
    const [, , , , folder, options] = mount.split(" ");
    const [type, , superOptions] = fileSystem?.split(" ") ?? [];
    if (folder === undefined || options === undefined || type === undefined) return [];
    const all = [options, superOptions].flatMap((list) => list?.split(",") ?? []);
    return [{ folder: unescape(folder), type, options: all }];
  });
}

/** Those of this process; undefined without /proc. */
export function readMounts(): readonly Mount[] | undefined {
  const text = readProc("self/mountinfo");
  return text === undefined ? undefined : parseMounts(text);
}

/** Spaces and the like are octal: `\040`. */
function unescape(text: string): string {
  return text.replaceAll(
    /\\([0-7]{3})/g,
    (_, octal: string) => String.fromCharCode(parseInt(octal, 8)),
  );
}
