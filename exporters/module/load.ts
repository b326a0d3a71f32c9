/** Finds what a config names: an exporter type, or a SpanExporter class, which it instantiates. */
import type { SpanExporter } from "../../npm/opentelemetry/sdk_trace.ts";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { ExporterType } from "../../src/library/exporter.ts";
import { nearest } from "../../src/messages/nearest.ts";
import { messageOf, npmFailure, UsageError } from "../../src/messages/errors.ts";
import { linesOf } from "../../src/messages/printable.ts";
import type { ModuleSettings } from "./settings.ts";

/** What a module exports, by name. */
type Exports = Readonly<Record<string, unknown>>;

/**
 * The URL to import for a `module` of the config: `npm:`, `jsr:`, `https:`, `node:` as they are,
 * anything else is a path relative to `baseDirectory`.
 */
export function moduleUrl(module: string, baseDirectory: string): string {
  return new URL(module, pathToFileURL(join(baseDirectory, "/"))).href;
}

/** What a module has: an exporter type of tcpspan's library, or a SpanExporter. */
export type Loaded =
  | { readonly kind: "native"; readonly type: ExporterType }
  | { readonly kind: "span"; readonly exporter: SpanExporter };

/**
 * Loads the module, and instantiates a SpanExporter class with `options`.
 * @param id the exporter's id in the config, for messages
 * @throws {UsageError} if that gives neither an exporter type nor a SpanExporter
 */
export async function loadExporter(
  settings: ModuleSettings,
  id: string,
  baseDirectory: string,
): Promise<Loaded> {
  const { module, export: name, options } = settings;
  const exports = await load(module, id, baseDirectory);
  const Exporter = exports[name];
  if (isNative(Exporter)) return { kind: "native", type: Exporter };
  if (!isConstructor(Exporter)) {
    const what = Exporter === undefined
      ? `no ${name}`
      : `${name}, which is neither a class nor has a type and open()`;
    throw new UsageError(
      `exporters.${id}.export: ${module} exports ${what}${suggestion(name, exports)}`,
    );
  }
  let exporter: unknown;
  try {
    exporter = await Reflect.construct(Exporter, [options]); // some give a promise
  } catch (error) {
    throw new UsageError(`exporters.${id}.options: cannot make a ${name}: ${firstLine(error)}`);
  }
  if (!isSpanExporter(exporter)) {
    throw new UsageError(
      `exporters.${id}.export: ${name} of ${module} is not a SpanExporter: ` +
        `it lacks export() or shutdown()${suggestion(name, exports)}`,
    );
  }
  return { kind: "span", exporter };
}

async function load(module: string, id: string, baseDirectory: string): Promise<Exports> {
  try {
    const namespace: Exports = await import(moduleUrl(module, baseDirectory));
    // in CommonJS, Deno may find only the name `default`, which then stands for all exports
    const { default: all } = namespace;
    if (typeof all !== "object" || all === null) return namespace;
    return { ...all, ...namespace, default: "default" in all ? all.default : all };
  } catch (error) {
    const failure = npmFailure(error);
    const [first, ...others] = failure === undefined ? reasonLines(error) : [failure.reason];
    const hint = failure !== undefined
      ? `; to download it: deno cache ${module}`
      : packageHint(module);
    const reason = [`cannot load ${module}: ${first}${hint}`, ...others].join("\n");
    throw new UsageError(`exporters.${id}.module: ${reason}`);
  }
}

/** The end of a message about a module that is no file, but looks like the name of a package. */
export function packageHint(module: string): string {
  const looksLikePackage = /^(@[\w.-]+\/)?\w[\w.-]*(@[\w.^~-]+)?$/.test(module) &&
    !/\.[cm]?[jt]s$/.test(module);
  return looksLikePackage ? `; for a package write npm:${module}` : "";
}

/** Which exports the user may have meant, the most likely first. */
function suggestion(name: string, exports: Exports): string {
  const exporters = Object.keys(exports)
    .filter((key) =>
      key !== name &&
      (isNative(exports[key]) || isFunction(exports[key]) && looksLikeExporter(key, exports[key]))
    );
  if (exporters.length === 0) return "; it exports nothing that looks like an exporter";
  const near = nearest(name, exporters);
  exporters.sort((a, b) => Number(b === near) - Number(a === near) || (a < b ? -1 : 1));
  return `; its exporters: ${exporters.join(", ")}`;
}

function looksLikeExporter(name: string, value: Constructor): boolean {
  return name.endsWith("Exporter") || typeof value.prototype?.export === "function";
}

type Constructor = (new (options: unknown) => unknown) & { prototype?: { export?: unknown } };

function isFunction(value: unknown): value is Constructor {
  return typeof value === "function";
}

/** Arrow functions and methods are none: `new` refuses them. */
function isConstructor(value: unknown): value is Constructor {
  if (!isFunction(value)) return false;
  try {
    Reflect.construct(Object, [], value); // calls nothing of `value`
    return true;
  } catch {
    return false;
  }
}

/** Whether it is an exporter type: an object, or a class with static members. */
function isNative(value: unknown): value is ExporterType {
  return (typeof value === "object" || isFunction(value)) && value !== null &&
    "type" in value && typeof value.type === "string" &&
    "open" in value && typeof value.open === "function";
}

function isSpanExporter(value: unknown): value is SpanExporter {
  return typeof value === "object" && value !== null &&
    "export" in value && typeof value.export === "function" &&
    "shutdown" in value && typeof value.shutdown === "function";
}

/** Why Deno could not load a module: what and, on lines of their own, where. */
function reasonLines(error: unknown): string[] {
  const text = messageOf(error).trim();
  const [, ...others] = linesOf(text);
  // a file that is not there has no place but the import here
  const places = text.matchAll(/^ +at (\w+:\S+:\d+:\d+)$/gm).map(([, place = ""]) => place)
    .filter((place) => !place.startsWith(import.meta.url));
  return [firstLine(error), ...others, ...[...new Set(places)].map((place) => `  in ${place}`)];
}

/** The first line of what was thrown, without colours and full stop. */
export function firstLine(error: unknown): string {
  const [line = ""] = messageOf(error).trim().split("\n", 1);
  return line.replace(/\.$/, "");
}
