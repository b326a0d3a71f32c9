/** The flags of a run, in a file apart from the parser: most runs have none. */
import type { LogFormat } from "../messages/log.ts";

/** The flags of a run; undefined if a flag was not given. */
export interface RunFlags {
  readonly command: "run";
  /** -c: path of the config file. */
  readonly config: string | undefined;
  /** --duration, in milliseconds. */
  readonly duration: number | undefined;
  /** -p, without repetitions. */
  readonly pids: readonly number[] | undefined;
  /** -L, without repetitions. */
  readonly localPorts: readonly number[] | undefined;
  /** -D, without repetitions. */
  readonly remotePorts: readonly number[] | undefined;
  /** -4 or -6. */
  readonly family: "ipv4" | "ipv6" | undefined;
  /** -w or -s. */
  readonly format: "wide" | "csv" | undefined;
  /** -T. */
  readonly time: true | undefined;
  /** -t. */
  readonly timestamp: true | undefined;
}

/**
 * The format that `--log-format` sets. Read before the other flags, so that it also applies to
 * messages about them.
 */
export function logFormat(args: readonly string[]): LogFormat {
  let format: LogFormat = "text";
  args.forEach((arg, i) => {
    const value = arg === "--log-format" ? args[i + 1] : /^--log-format=(.*)$/s.exec(arg)?.[1];
    if (value === "json" || value === "text") format = value;
  });
  return format;
}

/** A run without flags. */
export const NO_FLAGS: RunFlags = {
  command: "run",
  config: undefined,
  duration: undefined,
  pids: undefined,
  localPorts: undefined,
  remotePorts: undefined,
  family: undefined,
  format: undefined,
  time: undefined,
  timestamp: undefined,
};
