/** Builds the load generator, traffic/. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile } from "../compile.ts";

/** The program's name. */
export const TRAFFIC = "traffic";

const SOURCES = fileURLToPath(new URL("traffic/", import.meta.url));

/** @returns the program's path, in `folder` */
export async function buildTraffic(folder: string): Promise<string> {
  const program = join(folder, TRAFFIC);
  await compile(SOURCES, program);
  return program;
}
