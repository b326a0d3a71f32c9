/** The command line. */
import { Command, CommanderError } from "../../vendor/commander.js";
import { LARGEST_PID, LARGEST_PORT, MAX_DURATION, MOST_PIDS } from "../config/limits.ts";
import { parsePorts } from "../config/ports.ts";
import { likelyDurations, likelyRanges, parseDuration } from "../config/units.ts";
import { didYouMean } from "../messages/nearest.ts";
import { quote } from "../messages/quote.ts";
import { UsageError } from "../messages/errors.ts";
import type { RunFlags } from "../run/flags.ts";
import { HELP } from "./help.ts";
import { hintAtCommand, hintAtFlag } from "./hints.ts";
import { printable } from "../messages/printable.ts";

/** What the command line asks for. */
export type Arguments =
  | RunFlags
  | { readonly command: "config check"; readonly file: string; readonly deep?: true }
  | { readonly command: "config schema" }
  | { readonly command: "config example" }
  | DoctorArguments
  | { readonly command: "unpin"; readonly path: string | undefined }
  | { readonly command: "help"; readonly text: string }
  | { readonly command: "version" };

/** `doctor`, with its own flags. */
export interface DoctorArguments {
  readonly command: "doctor";
  /** Path of the config file whose run is tried. */
  readonly config: string | undefined;
  readonly json: boolean;
}

/**
 * Reads the command line.
 * @param args the arguments after the program's name
 * @throws {UsageError} if they cannot be followed
 */
export function parseArguments(args: readonly string[]): Arguments {
  const [first, ...rest] = args;
  if (first === "help") return parseArguments([...rest, "--help"]);
  if (first === "version" && rest.length === 0) return { command: "version" };
  let result: Arguments | undefined;
  let help = "";
  const program = describeProgram(
    (parsed) => result = parsed,
    (text) => help += text,
  );
  try {
    program.parse(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed") return { command: "help", text: help };
    if (error.code === "commander.help") {
      throw new UsageError("config: missing command: expected check FILE, schema or example");
    }
    // the message quotes the arguments as they were given
    throw new UsageError(printable(new TextEncoder().encode(reword(error.message))));
  }
  if (result === undefined) throw new Error("no command was found");
  return result;
}

function describeProgram(
  give: (result: Arguments) => void,
  writeHelp: (text: string) => void,
): Command {
  const program = new Command("tcpspan")
    .description(
      "Turn every TCP session on this host into an OpenTelemetry span: which process, with whom, " +
        "when, how much, how well, and how it ended. Without a config it prints a table, as " +
        "tcplife does.",
    )
    .exitOverride()
    .configureOutput({
      writeOut: writeHelp,
      writeErr: () => {},
      getOutHelpWidth: () => 80,
      getOutHasColors: () => false,
    })
    .helpCommand(false)
    .enablePositionalOptions() // so that a flag after `doctor` is doctor's
    .allowExcessArguments() // reported below, with the nearest command
    .usage("[flags]\n       tcpspan COMMAND")
    .optionsGroup("Format of the table (stdout):")
    .option("-T, --time", "the time of day of each row, HH:MM:SS")
    .option("-t, --timestamp", "seconds since the first row, with microseconds")
    .option("-w, --wide", "wide columns, for IPv6 addresses")
    .option("-s, --csv", "comma-separated values")
    .optionsGroup("Which sessions (these flags win over the config):")
    .option("-p, --pid <PID[,PID]>", `of these processes, at most ${MOST_PIDS}`, pids)
    .option(
      "-L, --localport <P[,P]>",
      "with one of these local ports; 8000-8999 is a range",
      ports("-L"),
    )
    .option("-D, --remoteport <P[,P]>", "with one of these remote ports, or a range", ports("-D"))
    .option("-4, --ipv4", "IPv4 only")
    .option("-6, --ipv6", "IPv6 only")
    .optionsGroup("Running:")
    .option("-c, --config <FILE>", "send sessions to the exporters this YAML file names", path)
    .option(
      "--duration <SECONDS>",
      "stop cleanly after this time; 90s and 1h30m work, too",
      seconds,
    )
    .option(
      "--log-format <FORMAT>",
      "messages on stderr: text, or json (an object a line)",
      format,
    )
    .optionsGroup("Help:")
    .helpOption("-h, --help", "print this")
    .option("-V, --version", "print the version")
    .addHelpText("after", () => HELP)
    .commandsGroup("Commands:")
    .action(() => {
      const [excess] = program.args;
      if (excess !== undefined) {
        const names = program.commands.map((command) => command.name());
        const suggestion = hintAtCommand(excess) || didYouMean(excess, names);
        throw new UsageError(
          `unknown command ${quote(excess)}: ${suggestion}expected flags, config, doctor or unpin`,
        );
      }
      give(program.getOptionValue("version") === true ? { command: "version" } : run(program));
    });

  /** Flags before a command would have no effect. */
  const alone = (result: Arguments) => {
    const [flag] = program.options.filter((option) =>
      option.long !== "--log-format" &&
      program.getOptionValue(option.attributeName()) !== undefined
    );
    if (flag !== undefined) {
      throw new UsageError(`cannot use ${flag.long} with ${result.command}: expected no flags`);
    }
    give(result);
  };
  const config = program.command("config").description("Check a config file, or start one.")
    .helpCommand(false).allowExcessArguments(false);
  config.command("check").argument("<FILE>")
    .description(
      "say what is wrong in FILE, if anything; with --deep, also open the files, modules and " +
        "receivers that it names, without tracing",
    )
    .option("--deep", "also open what FILE names, and ask each receiver")
    .action((file: string, { deep }: { readonly deep?: true }) =>
      alone({ command: "config check", file, ...(deep && { deep }) })
    );
  config.command("schema").description("print the JSON Schema of config files, for editors")
    .action(() => alone({ command: "config schema" }));
  config.command("example").description("print a config file with every key, explained")
    .action(() => alone({ command: "config example" }));
  program.command("doctor").allowExcessArguments(false)
    .description(
      "try what a run would do, and report what it lacks and what to do about it; with --config " +
        "FILE, try a run with that file; with --json, print JSON",
    )
    .option("-c, --config <FILE>", "try a run with this config file", path)
    .option("--json", "print the result as JSON")
    .action(({ config, json }: { readonly config?: string; readonly json?: true }) =>
      alone({ command: "doctor", config, json: json === true })
    );
  program.command("unpin").argument("[PATH]").allowExcessArguments(false)
    .description(
      "detach and remove what capture.pin keeps in the kernel, in PATH or as the config says",
    )
    .action((path: string | undefined) => alone({ command: "unpin", path }));
  program.configureHelp({
    visibleCommands: ({ commands }) =>
      commands.flatMap((command) => command.commands.length > 0 ? command.commands : [command]),
    subcommandTerm: (command) => {
      const parent = command.parent === program ? "" : `${command.parent?.name()} `;
      const [argument] = command.registeredArguments;
      const shown = argument?.required ? ` ${argument.name().replaceAll(/[<>]/g, "")}` : "";
      return `${parent}${command.name()}${shown}`;
    },
    optionTerm: (option) => option.flags.replaceAll(/[<>]/g, ""),
  });
  return program;
}

function run(program: Command): RunFlags {
  const options: {
    readonly config?: string;
    readonly duration?: number;
    readonly pid?: readonly number[];
    readonly localport?: readonly number[];
    readonly remoteport?: readonly number[];
    readonly ipv4?: true;
    readonly ipv6?: true;
    readonly wide?: true;
    readonly csv?: true;
    readonly time?: true;
    readonly timestamp?: true;
  } = program.opts();
  if (options.ipv4 && options.ipv6) throw exclusive("-4", "-6");
  if (options.wide && options.csv) throw exclusive("-w", "-s");
  return {
    command: "run",
    config: options.config,
    duration: options.duration,
    pids: options.pid,
    localPorts: options.localport,
    remotePorts: options.remoteport,
    family: options.ipv4 ? "ipv4" : options.ipv6 && "ipv6",
    format: options.wide ? "wide" : options.csv && "csv",
    time: options.time,
    timestamp: options.timestamp,
  };
}

function exclusive(one: string, other: string): UsageError {
  return new UsageError(`cannot use ${one} and ${other} together: expected one of them`);
}

/**
 * Numbers separated by commas, added to those of earlier uses of the flag.
 * @param read what one part stands for; undefined if it is wrong
 */
function numberList(
  flag: string,
  read: (part: string) => readonly number[] | undefined,
  expected: string,
): (text: string, previous: readonly number[] | undefined) => readonly number[] {
  return (text, previous = []) => {
    const all = new Set(previous);
    for (const part of text.split(",")) {
      const numbers = read(part.trim());
      if (numbers === undefined) {
        throw new UsageError(`${flag}: found ${quote(text)}: ${likely(flag, text)}${expected}`);
      }
      for (const number of numbers) all.add(number);
    }
    return [...all];
  };

  function likely(flag: string, text: string): string {
    const guess = [text.replace(/^=/, ""), ...likelyRanges(text)].find((guess) =>
      guess !== text && guess.split(",").every((part) => read(part) !== undefined)
    );
    return guess === undefined ? "" : `did you mean ${flag} ${guess}? `;
  }
}

function pids(text: string, previous: readonly number[] | undefined): readonly number[] {
  const expected = `expected process ids from 1 to ${LARGEST_PID}`;
  const all = numberList("-p", pid, expected)(text, previous);
  if (all.length <= MOST_PIDS) return all;
  throw new UsageError(`-p: found ${all.length} process ids: expected at most ${MOST_PIDS}`);
}

function pid(digits: string): number[] | undefined {
  const value = Number(digits);
  return /^\d+$/.test(digits) && value >= 1 && value <= LARGEST_PID ? [value] : undefined;
}

function ports(flag: string) {
  return numberList(flag, parsePorts, `expected ports from 1 to ${LARGEST_PORT}`);
}

function path(text: string): string {
  if (text !== "") return text;
  throw new UsageError("-c: found nothing: expected the path of a config file");
}

/** Only checks it: `logFormat` in flags.ts has already read it. */
function format(text: string): string {
  if (text === "text" || text === "json") return text;
  throw new UsageError(`--log-format: found ${quote(text)}: expected text or json`);
}

/** Seconds, or a duration as in the config. @returns milliseconds */
function seconds(text: string): number {
  const value = /^(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) * 1000 : parseDuration(text) ?? 0;
  if (value > 0 && value <= MAX_DURATION) return value;
  const largest = Math.floor(MAX_DURATION / 1000);
  const likely = /\d$/.test(text) ? undefined : likelyDurations(text).find((form) => form !== text);
  const guess = likely === undefined ? "" : `did you mean ${likely}? `;
  throw new UsageError(
    `--duration: found ${quote(text)}: ${guess}` +
      `expected seconds, more than 0 and at most ${largest}, or a duration such as 90s or 1h30m`,
  );
}

/** Commander's messages in the style of ours. */
function reword(message: string): string {
  const text = message.replace(/^error: /, "")
    .replace(/\n\(Did you mean (.*)\?\)$/, ": did you mean $1?")
    .replace(
      /^unknown command '(validate|verify|test|lint)'$/,
      "unknown command '$1': did you mean check?",
    )
    .replace(/^option '(-\w|--[\w-]+).*' argument missing$/, "$1: found nothing: expected a value")
    .replace(/^missing required argument '(.*)'$/, "missing argument: expected $1")
    .replace(/\.$/, "");
  const [, flag = ""] = /^unknown option '(.*?)'/s.exec(text) ?? [];
  const hint = hintAtFlag(flag);
  if (hint !== "") return `unknown option '${flag}'${hint}`;
  return text.endsWith("?") ? text : `${text}; see --help`;
}
