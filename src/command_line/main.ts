/** The program: arguments in, exit status out. */
import type { SessionBatch } from "../session/batch.ts";
import type { DoctorArguments } from "./parse.ts";
import type { Config } from "../config/load.ts";
import { describeFailure, HostError, UsageError } from "../messages/errors.ts";
import type { ExporterType } from "../exporter.ts";
import { logFormat, NO_FLAGS, type RunFlags } from "../run/flags.ts";
import { log } from "../messages/log.ts";
import { isSystemError, systemReason } from "../messages/system_error.ts";
import { StandingSignals } from "../run/standing_signals.ts";
import { count, countSessions } from "../messages/words.ts";
import { VERSION } from "../version.ts";

/** 0: a clean end. 1: the kernel or the host made it impossible. 2: a wrong flag or config. */
export type ExitStatus = 0 | 1 | 2;

type ExporterTypes = readonly ExporterType<unknown>[];

/** Runs the program to its end. */
export async function main(
  args: readonly string[],
  exporterTypes: ExporterTypes,
): Promise<ExitStatus> {
  log.format = logFormat(args); // before any message, including those about wrong flags
  try {
    return await dispatch(args, exporterTypes);
  } catch (error) {
    if (error instanceof UsageError) {
      log.error(error.message.split("\n"));
      return 2;
    }
    if (error instanceof Deno.errors.NotCapable) {
      log.error(
        `Deno's permissions forbid what this run needs: ${error.message}; see docs/security.md`,
      );
      return 2;
    }
    log.error(describeFailure(error).split("\n"));
    return 1;
  }
}

async function dispatch(
  args: readonly string[],
  exporterTypes: ExporterTypes,
): Promise<ExitStatus> {
  if (args.length > 0) (await import("../host/own_executable.ts")).requireOwnExecutable();
  const parsed = args.length === 0 ? NO_FLAGS : (await import("./parse.ts")).parseArguments(args);
  switch (parsed.command) {
    case "help":
      print(parsed.text);
      return 0;
    case "version":
      print(`tcpspan ${VERSION}\n`);
      return 0;
    case "doctor":
      return await runDoctor(parsed, exporterTypes);
    case "unpin":
      await runUnpin(parsed.path, exporterTypes);
      return 0;
    case "config check": {
      const { checkConfig } = await import("./check.ts");
      const { file, deep = false } = parsed;
      const ids = await checkConfig(file, { deep, env, exporterTypes });
      log.info(`${file} is valid; exporters: ${ids.join(", ")}`);
      return 0;
    }
    case "config schema": {
      const { loadSchemas } = await import("../config/load.ts");
      const { configJsonSchema } = await import("../config/json_schema.ts");
      print(`${JSON.stringify(configJsonSchema(await loadSchemas(exporterTypes)), null, 2)}\n`);
      return 0;
    }
    case "config example": {
      const { loadExample } = await import("../config/example.ts");
      print(await loadExample(exporterTypes));
      return 0;
    }
    case "run":
      return await runWith(parsed, exporterTypes);
  }
}

async function runWith(flags: RunFlags, exporterTypes: ExporterTypes): Promise<ExitStatus> {
  const signals = new StandingSignals(); // before anything slow
  const { run } = await import("../run/run.ts");
  const { configFile, readSettings } = await settingsOf(flags, exporterTypes);
  const settings = await readSettings();
  for (const warning of settings.warnings) log.warn(warning);
  await run(settings, { configFile, readSettings, duration: flags.duration, env, signals });
  return 0;
}

/** Where the settings of a run come from. */
async function settingsOf(flags: RunFlags, exporterTypes: ExporterTypes) {
  const { configFile, effectiveSettings } = await import("../run/settings.ts");
  const file = configFile(flags, env);
  return {
    configFile: file,
    readSettings: async () => {
      const config = file === undefined ? undefined : await load(file, exporterTypes);
      return effectiveSettings(flags, config, { env, exporterTypes });
    },
  };
}

async function runDoctor(
  { config, json }: DoctorArguments,
  exporterTypes: ExporterTypes,
): Promise<ExitStatus> {
  const { configFile, readSettings } = await settingsOf({ ...NO_FLAGS, config }, exporterTypes);
  const settings = await readSettings();
  const warn = (message: string) => log.warn(message);
  settings.warnings.forEach(warn);
  const { examine } = await import("../doctor/examine.ts");
  const { describeItems, describeJson, describeVerdict } = await import("../doctor/report.ts");
  const found = await examine(settings, { configFile, env, warn });
  if (json) print(describeJson(found));
  else {
    print(`${describeItems(found.items)}\n`);
    if (found.session !== undefined) {
      await printRows(found.session, exporterTypes);
      print("\n");
    }
    print(describeVerdict(found));
  }
  return found.usable ? 0 : 1;
}

/** Prints rows as a run's table shows them. */
async function printRows(batch: SessionBatch, exporterTypes: ExporterTypes): Promise<void> {
  const [table] = exporterTypes;
  const { signal } = new AbortController();
  if (table === undefined) return;
  const exporter = await table.open(table.defaults, {
    id: table.type,
    baseDirectory: Deno.cwd(),
    env,
    openSpans: () => Promise.reject(new Error("a table needs no spans")),
    reloading: false,
    warn: (message) => log.warn(message),
    stop: () => {},
  });
  await exporter.start?.(signal);
  await exporter.export(batch, signal);
  await exporter.shutdown();
}

async function runUnpin(path: string | undefined, exporterTypes: ExporterTypes): Promise<void> {
  const { DEFAULT_PIN, unpin } = await import("../capture/pin/unpin.ts");
  const file = env("TCPSPAN_CONFIG");
  const configured = path === undefined && file !== undefined
    ? (await load(file, exporterTypes)).capture.pin
    : "off";
  const folder = path ?? (configured === "off" ? DEFAULT_PIN : configured);
  const unpinned = unpin(folder);
  if (unpinned === undefined) return log.info(`nothing is pinned in ${folder}`);
  const { programs, unread, losses } = unpinned;
  log.info(`removed ${folder}: ${count(programs, "program")} detached`);
  if (unread > 0) {
    log.lost(`lost ${countSessions(unread)}: no run had read ${unread === 1 ? "it" : "them"}`);
  }
  const { describePlace } = await import("../telemetry/losses.ts");
  for (const [place, sessions] of losses) {
    if (sessions === 0) continue;
    const message = `lost ${countSessions(sessions)} since it was pinned: ${
      describePlace(place, sessions)
    }`;
    log.lost(message, { sessions, place });
  }
}

async function load(file: string, exporterTypes: ExporterTypes): Promise<Config> {
  const { loadConfig, loadSchemas } = await import("../config/load.ts");
  return await loadConfig(file, { env, schemas: await loadSchemas(exporterTypes) });
}

function env(name: string): string | undefined {
  return Deno.env.get(name) || undefined;
}

/** Writes data to stdout; if the reader has gone, no message is needed. */
function print(text: string): void {
  let bytes: Uint8Array = new TextEncoder().encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return;
    if (!isSystemError(error)) throw error;
    throw new HostError(`cannot write to stdout: ${systemReason(error)}`);
  }
}
