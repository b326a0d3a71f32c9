/** The flags of a run, apart from what reads them: most runs have none. */

/** What the flags of a run say; undefined where a flag was not given. */
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

/** Those of a run without any. */
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
