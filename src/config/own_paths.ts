/** Files and folders that a config gives to more than one part of a run. */
import { basename, dirname, join, resolve } from "node:path";
import type { ExporterType } from "../exporter.ts";
import { targetOf } from "../host/link_target.ts";
import { UsageError } from "../messages/errors.ts";
import { quote } from "../messages/quote.ts";
import { type Path, showPath } from "./problem.ts";

/** A file or folder that one part of a run writes to. */
interface OwnPath {
  readonly key: Path;
  /** As the config has it. */
  readonly path: string;
  /** A folder that several exporters may share: each has one of its own in it. */
  readonly shared: boolean;
}

/** The part of a config that names such paths. */
interface Configured {
  readonly capture: { readonly pin: string };
  readonly exporters: readonly {
    readonly id: string;
    readonly type: ExporterType<unknown>;
    readonly settings: unknown;
  }[];
}

/**
 * Whatever their names are: links are followed, and hard links are one file.
 * @param place gives the start of a message about a key of the config
 * @param baseDirectory folder that relative paths are relative to
 * @throws {UsageError} with a line for each that another has already
 */
export async function requireOwnPaths(
  config: Configured,
  place: (key: Path) => string,
  baseDirectory: string,
): Promise<void> {
  const paths = pathsOf(config);
  if (paths.length < 2) return; // most runs have none, and need no permission to look
  const owners = new Map<string, OwnPath>();
  const problems: string[] = [];
  for (const own of paths) {
    const identity = await identify(resolve(baseDirectory, own.path));
    const other = owners.get(identity);
    if (other === undefined) owners.set(identity, own);
    else if (!own.shared || !other.shared) {
      problems.push(
        `${place(own.key)}found ${quote(own.path)}, which ${showPath(other.key)} has already: ` +
          "expected another",
      );
    }
  }
  if (problems.length > 0) throw new UsageError(problems.join("\n"));
}

function pathsOf({ capture, exporters }: Configured): OwnPath[] {
  const { pin } = capture;
  return [
    pin === "off" ? [] : { key: ["capture", "pin"], path: pin, shared: false },
    ...exporters.map(({ id, type, settings }): OwnPath[] => {
      const file = type.file?.(settings);
      const storage = type.queue(settings).storage?.folder;
      const key = ["exporters", id];
      return [
        file === undefined ? [] : { key: [...key, "path"], path: file, shared: false },
        storage === undefined
          ? []
          : { key: [...key, "sending_queue", "storage"], path: storage, shared: true },
      ].flat();
    }),
  ].flat();
}

/** The same text for each name of one file, also of one that is not there yet. */
async function identify(path: string): Promise<string> {
  const target = await targetOf(path);
  const info = await existing(Deno.stat(target));
  if (info !== undefined) return `${info.dev}:${info.ino}`;
  const folder = await existing(Deno.realPath(dirname(target)));
  return folder === undefined ? resolve(target) : join(folder, basename(target));
}

async function existing<Found>(found: Promise<Found>): Promise<Found | undefined> {
  try {
    return await found;
  } catch {
    return undefined;
  }
}
