/** The files of the repository. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const NOT_OURS = new Set([".git", "node_modules", "coverage"]); // and what .gitignore names

/** Paths of all files below `folder`, relative to the repository's root, sorted. */
export function listFiles(folder = ""): string[] {
  const entries = Array.from(Deno.readDirSync(join(ROOT, folder)));
  return entries.filter(({ name }) => !NOT_OURS.has(name)).flatMap(({ name, isDirectory }) => {
    const path = join(folder, name);
    return isDirectory ? listFiles(path) : [path];
  }).sort();
}

export function readFile(path: string): string {
  return Deno.readTextFileSync(join(ROOT, path));
}
