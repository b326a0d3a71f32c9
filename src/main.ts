/** The program: arguments in, exit status out. */
import type { Config } from "./config/load.ts";
import { HostError, messageOf, UsageError } from "./errors.ts";
import type { ExporterType } from "./exporter.ts";
import { logFormat, NO_FLAGS, type RunFlags } from "./flags.ts";
import { log } from "./log.ts";
import { countSessions } from "./messages.ts";
import { VERSION } from "./version.ts";

/** 0: a clean end. 1: the kernel or the host made it impossible. 2: a wrong flag or config. */
export type ExitStatus = 0 | 1 | 2;

type ExporterTypes = readonly ExporterType<unknown>[];

/** Runs the program to its end. */
export async function main(
  args: readonly string[],
  exporterTypes: ExporterTypes,
): Promise<ExitStatus> {
  log.format = logFormat(args); // before anything is said, of wrong flags too
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
    const message = error instanceof HostError
      ? error.message
      : `unexpected failure: ${describe(error)}`;
    log.error(message.split("\n"));
    return 1;
  }
}

async function dispatch(
  args: readonly string[],
  exporterTypes: ExporterTypes,
): Promise<ExitStatus> {
  const parsed = args.length === 0 ? NO_FLAGS : (await import("./cli.ts")).parseArguments(args);
  switch (parsed.command) {
    case "help":
      print(parsed.text);
      return 0;
    case "version":
      print(`tcpspan ${VERSION}\n`);
      return 0;
    case "doctor": {
      const { examineHost } = await import("./doctor.ts");
      const { report, usable } = examineHost();
      print(report);
      return usable ? 0 : 1;
    }
    case "unpin":
      await runUnpin(parsed.path, exporterTypes);
      return 0;
    case "config check": {
      const { exporters } = await load(parsed.file, exporterTypes);
      log.info(`${parsed.file} is valid; exporters: ${exporters.map(({ id }) => id).join(", ")}`);
      return 0;
    }
    case "config schema": {
      const { loadSchemas } = await import("./config/load.ts");
      const { configJsonSchema } = await import("./config/json_schema.ts");
      print(`${JSON.stringify(configJsonSchema(await loadSchemas(exporterTypes)), null, 2)}\n`);
      return 0;
    }
    case "config example": {
      const { EXAMPLE } = await import("./config/example.ts");
      print(EXAMPLE);
      return 0;
    }
    case "run":
      return await runWith(parsed, exporterTypes);
  }
}

async function runWith(flags: RunFlags, exporterTypes: ExporterTypes): Promise<ExitStatus> {
  const { configFile, effectiveSettings } = await import("./settings.ts");
  const { run } = await import("./run/run.ts");
  const file = configFile(flags, env);
  const readSettings = async () => {
    const config = file === undefined ? undefined : await load(file, exporterTypes);
    return effectiveSettings(flags, config, { env, exporterTypes });
  };
  const settings = await readSettings();
  for (const warning of settings.warnings) log.warn(warning);
  await run(settings, { configFile: file, readSettings, duration: flags.duration, env });
  return 0;
}

async function runUnpin(path: string | undefined, exporterTypes: ExporterTypes): Promise<void> {
  const { DEFAULT_PIN, unpin } = await import("./capture/unpin.ts");
  const file = env("TCPSPAN_CONFIG");
  const configured = path === undefined && file !== undefined
    ? (await load(file, exporterTypes)).capture.pin
    : "off";
  const folder = path ?? (configured === "off" ? DEFAULT_PIN : configured);
  const unpinned = unpin(folder);
  if (unpinned === undefined) return log.info(`nothing is pinned in ${folder}`);
  const { programs, unread, losses } = unpinned;
  log.info(`removed ${folder}: ${programs} programs detached`);
  if (unread > 0) log.lost(`lost ${countSessions(unread)}: nobody had read them`);
  const { LOSS_PLACES } = await import("./telemetry/losses.ts");
  for (const [place, sessions] of losses) {
    if (sessions === 0) continue;
    const message = `lost ${countSessions(sessions)} since it was pinned: ${LOSS_PLACES[place]}`;
    log.lost(message, { sessions, place });
  }
}

async function load(file: string, exporterTypes: ExporterTypes): Promise<Config> {
  const { loadConfig, loadSchemas } = await import("./config/load.ts");
  return await loadConfig(file, { env, schemas: await loadSchemas(exporterTypes) });
}

function env(name: string): string | undefined {
  return Deno.env.get(name) || undefined;
}

/** Data for stdout; a reader that has gone needs no message. */
function print(text: string): void {
  let bytes: Uint8Array = new TextEncoder().encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

function describe(error: unknown): string {
  const message = messageOf(error);
  return error instanceof Error ? `${error.name}: ${message}` : message;
}
