/** Where a path leads through symbolic links. */
import { dirname, isAbsolute } from "node:path";

/** As many as the kernel follows: path_resolution(7). */
const MOST_LINKS = 40;

/** What the links in it lead to is an open file, whatever its name is by now: proc_pid_fd(5). */
const OPEN_FILES = /^\/proc\/\d+\/(task\/\d+\/)?fd$/;

/**
 * The file that opening `path` would open or create: a link at its end leads on, also one to
 * nothing yet. Folders stay as they are named, and so does what is no link, or leads in a circle.
 */
export async function targetOf(path: string): Promise<string> {
  let at = path;
  for (let links = 0; links < MOST_LINKS && !await isOpenFile(at); links++) {
    const link = await readLinkIfAny(at);
    if (link === undefined) return at;
    at = isAbsolute(link) ? link : `${dirname(at)}/${link}`; // not join: the kernel follows `..`
  }
  return at;
}

/** Whether `path` names an open file of a process, as /proc/self/fd/1 does. */
export async function isOpenFile(path: string): Promise<boolean> {
  try {
    return OPEN_FILES.test(await Deno.realPath(dirname(path)));
  } catch {
    return false; // a folder is missing, or may not be searched
  }
}

async function readLinkIfAny(path: string): Promise<string | undefined> {
  try {
    return await Deno.readLink(path);
  } catch {
    return undefined; // no link, or nothing
  }
}
