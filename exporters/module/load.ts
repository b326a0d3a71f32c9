/** Finds the SpanExporter class that a config names, and makes one of its objects. */
import type { SpanExporter } from "../../npm/opentelemetry/sdk_trace.ts";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { nearest } from "../../src/messages/nearest.ts";
import { messageOf, npmFailure, UsageError } from "../../src/messages/errors.ts";
import type { ModuleSettings } from "./settings.ts";

/** What a module exports, under its names. */
type Exports = Readonly<Record<string, unknown>>;

/**
 * The URL to import for a `module` of the config: `npm:`, `jsr:`, `https:`, `node:` as they are,
 * anything else is a path relative to `baseDirectory`.
 */
export function moduleUrl(module: string, baseDirectory: string): string {
  return new URL(module, pathToFileURL(join(baseDirectory, "/"))).href;
}

/**
 * Loads the module and makes an exporter with `options`.
 * @param id the exporter's id in the config, for messages
 * @throws {UsageError} if that does not give something with the functions of a SpanExporter
 */
export async function loadSpanExporter(
  settings: ModuleSettings,
  id: string,
  baseDirectory: string,
): Promise<SpanExporter> {
  const { module, export: name, options } = settings;
  const exports = await load(module, id, baseDirectory);
  const Exporter = exports[name];
  if (!isFunction(Exporter)) {
    const what = Exporter === undefined ? `no ${name}` : `${name}, which is not a class`;
    throw new UsageError(
      `exporters.${id}.export: ${module} exports ${what}${suggestion(name, exports)}`,
    );
  }
  let exporter: unknown;
  try {
    exporter = Reflect.construct(Exporter, [options]);
  } catch (error) {
    throw new UsageError(`exporters.${id}.options: cannot make a ${name}: ${firstLine(error)}`);
  }
  if (!isSpanExporter(exporter)) {
    throw new UsageError(
      `exporters.${id}.export: ${name} of ${module} is no SpanExporter: ` +
        `it lacks export() or shutdown()${suggestion(name, exports)}`,
    );
  }
  return exporter;
}

async function load(module: string, id: string, baseDirectory: string): Promise<Exports> {
  try {
    const namespace: Exports = await import(moduleUrl(module, baseDirectory));
    // of CommonJS, Deno may find no names but `default`
    const { default: defaults } = namespace;
    return typeof defaults === "object" && defaults !== null
      ? { ...defaults, ...namespace }
      : namespace;
  } catch (error) {
    const failure = npmFailure(error);
    const reason = failure?.reason ?? firstLine(error);
    const hint = failure !== undefined
      ? `; to download it: deno cache ${module}`
      : looksLikePackage(module)
      ? `; for a package write npm:${module}`
      : "";
    throw new UsageError(`exporters.${id}.module: cannot load ${module}: ${reason}${hint}`);
  }
}

function looksLikePackage(module: string): boolean {
  return /^(@[\w.-]+\/)?\w[\w.-]*(@[\w.^~-]+)?$/.test(module) && !/\.[cm]?[jt]s$/.test(module);
}

/** Which exports the user may have meant, the most likely first. */
function suggestion(name: string, exports: Exports): string {
  const exporters = Object.keys(exports)
    .filter((key) =>
      key !== name && isFunction(exports[key]) && looksLikeExporter(key, exports[key])
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

function isSpanExporter(value: unknown): value is SpanExporter {
  return typeof value === "object" && value !== null &&
    "export" in value && typeof value.export === "function" &&
    "shutdown" in value && typeof value.shutdown === "function";
}

/** The first line of what was thrown, without colours and full stop. */
export function firstLine(error: unknown): string {
  const [line = ""] = messageOf(error).trim().split("\n", 1);
  return line.replace(/\.$/, "");
}
