/**
 * The program as its users run it: a process, its flags, its config file, its two outputs.
 *
 * ```ts ignore
 * await using tool = await startTcpspan(["-L", "8080"]);
 * const rows = await tool.stdout.waitForLines(1, (line) => line.includes(" 8080 "));
 * const { status } = await tool.stop("SIGINT");
 * ```
 * @module
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Ended, Process } from "./process.ts";

/** The folder of the repository. */
export const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));

/** The start of the line on stderr that says that capture is live; all of it for a table. */
export const TRACING = "tcpspan: tracing";

/** The whole line if sessions go elsewhere: `otlp http://127.0.0.1:4318/v1/traces`. */
export function tracingTo(...places: readonly string[]): string {
  return `${TRACING}; to ${places.join(", ")}`;
}

/** How the program is run. */
export interface TcpspanOptions {
  /** Text of a config file, which `--config` then names. */
  readonly config?: string;
  /** Added to an environment without variables of OpenTelemetry and tcpspan. */
  readonly env?: Readonly<Record<string, string>>;
  /** What stands in front of the command, to run it in another place or as another user. */
  readonly inside?: readonly [string, ...string[]];
  readonly cwd?: string;
  /** Deno's permission flags, in place of `-A`. */
  readonly permissions?: readonly string[];
  /** The line on stderr that says that capture is live; one with TRACING at its start by default. */
  readonly tracing?: RegExp;
}

/** The program, tracing. Disposing ends it at once, whatever it still holds. */
export interface Tcpspan
  extends Pick<Process, "pid" | "stdout" | "stderr" | "end">, AsyncDisposable {
  /** Sends a signal and waits for the end. */
  stop(signal: Deno.Signal): Promise<Ended>;
  /** Path of the config file. */
  readonly config: string;
}

/** Starts the program, and waits until capture is live. */
export async function startTcpspan(
  args: readonly string[] = [],
  options: TcpspanOptions = {},
): Promise<Tcpspan> {
  assert.equal(
    Deno.uid(),
    0,
    "cannot trace: not root: run ./setup.sh --dev, then the tests as root",
  );
  const { process, config, folder } = await spawn(args, options);
  const dispose = async () => {
    await process[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  };
  try {
    const { tracing } = options;
    await process.stderr.waitForLines(1, (line) => tracing?.test(line) ?? line.startsWith(TRACING));
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    pid: process.pid,
    stdout: process.stdout,
    stderr: process.stderr,
    config,
    end: async (timeoutMs) => checked(await process.end(timeoutMs)),
    stop: async (signal) => checked(await process.stop(signal)),
    [Symbol.asyncDispose]: dispose,
  };
}

/** Runs the program to its end. In its output `FILE` stands for the config file's path. */
export async function runTcpspan(
  args: readonly string[],
  options: TcpspanOptions = {},
): Promise<Ended> {
  const { process, config, folder } = await spawn(args, options);
  try {
    const { status, stdout, stderr } = checked(await process.end());
    return { status, stdout, stderr: stderr.replaceAll(config, "FILE") };
  } finally {
    await process[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  }
}

/** The command that users type, without sudo. */
export function command(...args: readonly string[]): [string, ...string[]] {
  return [Deno.execPath(), "run", "-A", "--frozen", "mod.ts", ...args];
}

/** An environment in which no variable changes what tcpspan does. */
export function environment(added: Readonly<Record<string, string>> = {}): Record<string, string> {
  const inherited = Object.entries(Deno.env.toObject())
    .filter(([name]) => !/^(OTEL|TCPSPAN)_/.test(name));
  return { ...Object.fromEntries(inherited), NO_COLOR: "1", ...added };
}

async function spawn(args: readonly string[], options: TcpspanOptions) {
  const folder = await Deno.makeTempDir({ prefix: "tcpspan-e2e-" });
  await Deno.chmod(folder, 0o755); // the program may be run by others
  const config = join(folder, "tcpspan.yaml");
  if (options.config !== undefined) await Deno.writeTextFile(config, options.config);
  const all = command(...args, ...(options.config === undefined ? [] : ["--config", config]));
  const { inside = [], permissions = ["-A"] } = options;
  const [program, ...rest] = [
    ...inside,
    ...all.flatMap((argument) => argument === "-A" ? permissions : [argument]),
  ];
  assert.ok(program !== undefined);
  const process = new Process(
    [program, ...rest],
    { env: environment(options.env), cwd: options.cwd ?? REPOSITORY },
  );
  return { process, config, folder };
}

/** Fails if the output holds a stack trace, which no user may see. */
function checked(ended: Ended): Ended {
  assert.doesNotMatch(ended.stderr, /at (async )?file:\/\/|Uncaught|panicked|^\s+at /m);
  return ended;
}
