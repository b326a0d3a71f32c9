/** Reading a config file: all of its problems at once, each with its place. */
import { dirname, resolve } from "node:path";
import type * as z from "../../vendor/zod.js";
import { messageOf, UsageError } from "../messages/errors.ts";
import type { ExporterType } from "../exporter.ts";
import { checkValue } from "./check.ts";
import { ConfigDocument } from "./document.ts";
import type { Environment } from "./expand.ts";
import { type KeyHome, keyHomes } from "./likely_keys.ts";
import { didYouMean } from "../messages/nearest.ts";
import { requireOwnPaths } from "./own_paths.ts";
import { type Path, showPath } from "./problem.ts";
import { quote } from "../messages/quote.ts";
import { configSchema } from "./schema.ts";
import { keepSecretsOf } from "./secret_values.ts";

/** The largest config file, in bytes; a larger file is not a config, but a mistake. */
export const LARGEST_FILE = 2 ** 18;

/** An exporter as the config file names it. */
export interface ConfiguredExporter {
  /** `type` or `type/name`. */
  readonly id: string;
  readonly type: ExporterType<unknown>;
  /** What the type's schema made of the settings. */
  readonly settings: unknown;
}

/** A config file's content, checked, with defaults filled in. Keys are those of the file. */
export interface Config extends Omit<z.output<typeof configSchema>, "exporters"> {
  /** At least one, in the order of the file. */
  readonly exporters: readonly ConfiguredExporter[];
}

/** The types that exporters in a config select from, and their settings' schemas. */
export type ExporterSchemas = ReadonlyMap<ExporterType<unknown>, z.ZodType>;

/** Loads the schema of every type. */
export async function loadSchemas(
  types: readonly ExporterType<unknown>[],
): Promise<ExporterSchemas> {
  return new Map(
    await Promise.all(types.map(async (type) => [type, await type.loadSchema()] as const)),
  );
}

/** What reading a config file needs. */
export interface ConfigContext {
  /** For `${env:NAME}`. */
  readonly env: Environment;
  readonly schemas: ExporterSchemas;
}

/**
 * Reads a config file.
 * @throws {UsageError} if it cannot be read, or with a line for each problem in it
 */
export async function loadConfig(file: string, context: ConfigContext): Promise<Config> {
  return (await loadPlacedConfig(file, context)).config;
}

/** A config, and where its values are. */
export interface PlacedConfig {
  readonly config: Config;
  /** The start of a message about the key or value at `path`: `FILE:LINE:COLUMN: KEY.PATH: `. */
  readonly place: (path: Path) => string;
}

/** As {@linkcode loadConfig}, for messages about what is in the config. */
export async function loadPlacedConfig(
  file: string,
  context: ConfigContext,
): Promise<PlacedConfig> {
  const bytes = await readAll(file);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(`${file}:1:1: not a text file: expected YAML in UTF-8`);
  }
  const placed = read(text, { ...context, file });
  await requireOwnPaths(placed.config, placed.place, dirname(resolve(file)));
  return placed;
}

/**
 * Reads the text of a config file.
 * @param context.file the file's name, for messages
 * @throws {UsageError} with a line for each problem: `FILE:LINE:COLUMN: KEY.PATH: what is wrong:
 * expected …`
 */
export function parseConfig(text: string, context: ConfigContext & { file: string }): Config {
  return read(text, context).config;
}

function read(text: string, context: ConfigContext & { file: string }): PlacedConfig {
  const { file } = context;
  if (text.length > LARGEST_FILE) throw tooLarge(file);
  if (text.includes("\0")) {
    throw new UsageError(`${file}:1:1: not a text file: expected YAML in UTF-8`);
  }
  const document = new ConfigDocument(text, context.env);
  if (!document.broken) {
    if (document.value === null) {
      throw new UsageError(`${file}:1:1: empty: expected a mapping with an exporters section`);
    }
    keepSecretsOf(document.value);
    const config = check(document, context.schemas);
    if (document.problems.length === 0 && config !== undefined) {
      return { config, place: (path) => placeOf(file, document, path, document.offset(path)) };
    }
  }
  const lines = document.problems.sort((a, b) => a.offset - b.offset).map((problem) =>
    placeOf(file, document, problem.path, problem.offset) + problem.text
  );
  throw new UsageError([...new Set(lines)].join("\n"));
}

/** The start of a message about a place in a config file. */
function placeOf(file: string, document: ConfigDocument, path: Path, offset: number): string {
  const { line, column } = document.position(offset);
  return `${file}:${line}:${column}: ${path.length > 0 ? `${showPath(path)}: ` : ""}`;
}

function tooLarge(file: string): UsageError {
  return new UsageError(
    `${file}: cannot read config: found more than ${LARGEST_FILE} bytes: expected a config file`,
  );
}

/** Reads no more than a config may hold, so that `/dev/zero` ends too; pipes work. */
async function readAll(file: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    using handle = await Deno.open(file);
    for await (const chunk of handle.readable) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > LARGEST_FILE) throw tooLarge(file);
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${file}: cannot read config: ${readFailure(error)}`);
  }
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

function readFailure(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.IsADirectory) return "found a directory: expected a file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  return messageOf(error);
}

const knownHomes = new WeakMap<ExporterSchemas, KeyHome>();

/** Where each key below the top of a file is. */
function homesOf(schemas: ExporterSchemas): KeyHome {
  const known = knownHomes.get(schemas);
  if (known !== undefined) return known;
  const { exporters: _, ...sections } = configSchema.shape;
  const exporters = [...schemas].map(([{ type }, schema]) =>
    [`exporters.${type}`, schema] as const
  );
  const homes = keyHomes({ ...sections, ...Object.fromEntries(exporters) });
  knownHomes.set(schemas, homes);
  return homes;
}

/** Checks a whole document; adds to its problems. */
function check(document: ConfigDocument, schemas: ExporterSchemas): Config | undefined {
  const homeOf: KeyHome = (key) => homesOf(schemas)(key); // only if something is wrong
  const top = checkValue(document, configSchema, document.value, [], homeOf);
  const found = isMapping(document.value) ? document.value["exporters"] : undefined;
  const exporters = isMapping(found) ? checkExporters(document, found, schemas, homeOf) : [];
  if (top?.telemetry.otlp !== undefined) {
    checkMetricExporter(document, top.telemetry.otlp.exporter, exporters, schemas);
  }
  return top === undefined ? undefined : { ...top, exporters };
}

function checkExporters(
  document: ConfigDocument,
  found: Readonly<Record<string, unknown>>,
  schemas: ExporterSchemas,
  homeOf: KeyHome,
): ConfiguredExporter[] {
  const path = ["exporters"];
  const ids = Object.keys(found);
  if (ids.length === 0) {
    document.problems.push({
      offset: document.keyOffset(path),
      path,
      text: `no exporter: expected at least one, such as ${
        namesOf(schemas.keys()).slice(0, 2).join(" or ")
      }`,
    });
  }
  const exporters: ConfiguredExporter[] = [];
  for (const id of ids) {
    const [type, schema] = exporterType(document, id, found[id], schemas) ?? [];
    if (type === undefined || schema === undefined) continue;
    const settings = checkValue(document, schema, found[id] ?? {}, ["exporters", id], homeOf);
    exporters.push({ id, type, settings });
  }
  return exporters;
}

/** Checks that it is clear which exporter's receiver gets metrics, and that it takes metrics. */
function checkMetricExporter(
  document: ConfigDocument,
  id: string | undefined,
  exporters: readonly ConfiguredExporter[],
  schemas: ExporterSchemas,
): void {
  const able = exporters.filter(({ type }) => takesMetrics(type)).map(({ id }) => id);
  if (id === undefined ? able.length === 1 : able.includes(id)) return;
  const section = ["telemetry", "otlp"];
  const path = id === undefined ? section : [...section, "exporter"];
  const known = able.length === 0
    ? `an ${namesOf(schemas.keys().filter(takesMetrics)).join(" or ")} exporter, and found none`
    : able.join(" or ");
  document.problems.push({
    offset: id === undefined ? document.keyOffset(path) : document.offset(path),
    path,
    text: id === undefined
      ? `no exporter: expected ${able.length === 0 ? known : `exporter: ${known}`}`
      : `found ${quote(id)}: ${didYouMean(id, able)}expected ${known}`,
  });
}

/** The type that an id and its settings select, and its schema. */
function exporterType(
  document: ConfigDocument,
  id: string,
  settings: unknown,
  schemas: ExporterSchemas,
): [ExporterType<unknown>, z.ZodType] | undefined {
  const path = ["exporters", id];
  const offset = document.keyOffset(path);
  const [name = ""] = id.split("/", 1);
  if (!/^[^/\s]+(\/\S+)?$/.test(id)) {
    document.problems.push({ offset, path, text: "invalid id: expected type or type/name" });
    return undefined;
  }
  const selected = isMapping(settings)
    ? schemas.entries().find(([{ selectingKey }]) =>
      selectingKey !== undefined && selectingKey.name in settings
    )
    : undefined;
  if (selected !== undefined) return selected;
  const known = schemas.entries().find(([{ type }]) => type === name);
  if (known !== undefined) return known;
  const names = namesOf(schemas.keys());
  const keys = schemas.keys().flatMap(({ selectingKey }) =>
    selectingKey === undefined ? [] : [`, or a ${selectingKey.name} key ${selectingKey.meaning}`]
  );
  document.problems.push({
    offset,
    path,
    text: `unknown exporter type ${quote(name)}: ${likelyType(name, schemas)}` +
      `expected ${names.join(", ")}${[...keys].join("")}`,
  });
  return undefined;
}

/** A question about the type that is meant, or nothing. */
function likelyType(name: string, schemas: ExporterSchemas): string {
  const folded = name.toLowerCase().replaceAll(/[-_]|exporter$/g, "");
  for (const { otherNames = {} } of schemas.keys()) {
    if (Object.hasOwn(otherNames, folded)) return `did you mean ${otherNames[folded]}? `;
  }
  if (folded === "prometheus") return "did you mean it under telemetry? ";
  return didYouMean(folded, namesOf(schemas.keys()));
}

/** Names of the types that ids select. */
function namesOf(types: Iterable<ExporterType<unknown>>): string[] {
  return [...types].filter(({ selectingKey }) => selectingKey === undefined)
    .map(({ type }) => type);
}

function takesMetrics({ openMetrics }: ExporterType<unknown>): boolean {
  return openMetrics !== undefined;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
