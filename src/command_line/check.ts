/** `config check`: what is wrong in a config file, and in what it names. */
import { dirname, resolve } from "node:path";
import type { Environment } from "../config/expand.ts";
import {
  type ConfiguredExporter,
  loadPlacedConfig,
  loadSchemas,
  type PlacedConfig,
} from "../config/load.ts";
import type { Path } from "../config/problem.ts";
import type { ExporterType } from "../exporter.ts";
import { UsageError } from "../messages/errors.ts";
import { log } from "../messages/log.ts";
import { SpoolFolder } from "../queue/spool/folder.ts";
import { NO_FLAGS } from "../run/flags.ts";

/** What a check works with. */
export interface CheckOptions {
  /** Whether to open and ask what the config names as well. */
  readonly deep: boolean;
  readonly env: Environment;
  readonly exporterTypes: readonly ExporterType<unknown>[];
}

/**
 * Checks a config file; nothing is traced, and everything is left as it was.
 * @returns ids of the exporters
 * @throws {UsageError} with all that is wrong
 */
export async function checkConfig(
  file: string,
  { deep, env, exporterTypes }: CheckOptions,
): Promise<string[]> {
  const schemas = await loadSchemas(exporterTypes);
  const placed = await loadPlacedConfig(file, { env, schemas });
  const problems = await checkNamed(placed, dirname(resolve(file)), env);
  if (problems.length > 0) throw new UsageError(problems.join("\n"));
  if (deep) await tryNamed(file, placed, env, exporterTypes);
  return placed.config.exporters.map(({ id }) => id);
}

/** What shows without opening anything. */
async function checkNamed(
  { config, place }: PlacedConfig,
  baseDirectory: string,
  env: Environment,
): Promise<string[]> {
  const problems: string[] = [];
  for (const exporter of config.exporters) {
    const { id, type, settings } = exporter;
    const key = ["exporters", id];
    const warn = (message: string) => log.warn(`${place(key)}${message}`, { exporter: id });
    const attempt = async (check: () => void | Promise<void>, keyOf: (text: string) => Path) => {
      try {
        await check();
      } catch (error) {
        if (error instanceof Deno.errors.NotCapable) {
          return warn(`not checked, because Deno's permissions forbid it: ${error.message}`);
        }
        if (!(error instanceof UsageError)) throw error;
        const path = [...key, ...keyOf(error.message)];
        problems.push(place(path) + withoutKey(error.message, path));
      }
    };
    await attempt(
      () => type.check?.(settings, { id, baseDirectory, env, warn }),
      (text) => keyIn(text, exporter),
    );
    const folder = type.queue(settings).storage?.folder;
    if (folder === undefined) continue;
    await attempt(
      () => SpoolFolder.check(resolve(baseDirectory, folder)),
      () => ["sending_queue", "storage"],
    );
  }
  return problems;
}

/** What shows when it is opened and asked. */
async function tryNamed(
  file: string,
  { config, place }: PlacedConfig,
  env: Environment,
  exporterTypes: readonly ExporterType<unknown>[],
): Promise<void> {
  const { effectiveSettings } = await import("../run/settings.ts");
  const { tryDestinations } = await import("../doctor/examine.ts");
  const settings = effectiveSettings(NO_FLAGS, config, { env, exporterTypes });
  const warn = (message: string) => log.warn(message);
  settings.warnings.forEach(warn);
  const problems: string[] = [];
  for (const item of await tryDestinations(settings, { configFile: file, env, warn })) {
    const { key = [], name, result, found, advice } = item;
    if (result === "ok") {
      log.info(`${name}: ${found}`);
      continue;
    }
    const exporter = config.exporters.find(({ id }) => key.length === 2 && key[1] === id);
    const path = exporter === undefined ? key : [...key, ...keyIn(found, exporter)];
    problems.push([place(path) + withoutKey(found, path), ...adviceLines(advice)].join("\n"));
  }
  if (problems.length > 0) throw new UsageError(problems.join("\n"));
}

function adviceLines(advice = ""): string[] {
  return advice.split("\n").filter((line) => line !== "").map((line) => `  -> ${line}`);
}

/**
 * The key of an exporter's settings that a message names, as in `exporters.otlp: cannot read
 * tls.ca_file: …`; empty if it names none.
 */
function keyIn(message: string, { id, settings }: ConfiguredExporter): Path {
  const exporter = `exporters.${id}`;
  if (message.startsWith(exporter)) message = message.slice(exporter.length);
  for (const [words] of message.matchAll(/[a-z_]+(?:\.[a-z_]+)*(?=:)/g)) {
    const path = words.split(".");
    if (has(settings, path)) return path;
  }
  return [];
}

function has(settings: unknown, [first, ...rest]: Path): boolean {
  if (first === undefined) return true;
  if (typeof settings !== "object" || settings === null || !(first in settings)) return false;
  return has(Reflect.get(settings, first), rest);
}

/** A message without the key in front, which the place shows. */
function withoutKey(message: string, path: Path): string {
  const [section, id] = path;
  const [first = "", ...rest] = message.split(": ");
  return first.startsWith(`${section}.${id}`) && rest.length > 0 ? rest.join(": ") : message;
}
