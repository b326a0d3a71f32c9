/** Looks at the options of a capture before anything is done with them. */
import type { CaptureOptions } from "../capture/capture_options.ts";
import { CGROUP, EXECUTABLE, isCgroup, isExecutable, isPin } from "../capture/names.ts";
import { LARGEST_PID, LARGEST_PORT, MAX_DURATION, MOST_PIDS } from "../config/limits.ts";
import type { SamplingOptions } from "../ids/sampling.ts";
import { UsageError } from "../messages/errors.ts";
import { didYouMean } from "../messages/nearest.ts";
import { isCidr } from "../net/cidr.ts";

/** What a value has to be, in words, and whether one is. */
interface Rule {
  readonly expected: string;
  fits(value: unknown): boolean;
}

type Rules<Options> = { readonly [Name in keyof Required<Options>]: Rule };

const boolean: Rule = { expected: "true or false", fits: (value) => typeof value === "boolean" };
const ports = listOf(integer(0, LARGEST_PORT, "a port"));
const networks = listOf(text("a network such as 10.0.0.0/8 or fd00::/8", isCidr));
const pids = listOf(integer(1, LARGEST_PID, "a process id"));

const SAMPLING: Rules<SamplingOptions> = {
  ratio: {
    expected: "a number above 0, and 1 at most",
    fits: (value) => typeof value === "number" && value > 0 && value <= 1,
  },
  keepErrors: boolean,
  key: text("text", () => true),
};

const CAPTURE: Rules<CaptureOptions> = {
  pids: {
    expected: `${pids.expected}, ${MOST_PIDS} at most`,
    fits: (value) => pids.fits(value) && Array.isArray(value) && value.length <= MOST_PIDS,
  },
  localPorts: ports,
  remotePorts: ports,
  families: listOf({
    expected: '"ipv4" or "ipv6"',
    fits: (value) => value === "ipv4" || value === "ipv6",
  }),
  includeCidrs: networks,
  excludeCidrs: networks,
  excludeExecutables: listOf(text(EXECUTABLE, isExecutable)),
  excludeCgroups: listOf(text(CGROUP, isCgroup)),
  minBytes: integer(0, Number.MAX_SAFE_INTEGER, "a number of bytes"),
  minDuration: integer(0, MAX_DURATION, "milliseconds"),
  maxSessionsPerSecond: integer(0, 2 ** 32 - 1, "a number"),
  sampling: {
    expected: "an object with ratio, keepErrors and key",
    fits: (value) => typeof value === "object" && value !== null,
  },
  ringBuffer: {
    expected: "a power of two from 262144 (256 KiB) to 1073741824 (1 GiB)",
    fits: (value) =>
      typeof value === "number" && value >= 2 ** 18 && value <= 2 ** 30 &&
      Number.isInteger(Math.log2(value)),
  },
  existing: boolean,
  interim: integer(100, MAX_DURATION, "milliseconds"),
  reportOpenOnExit: boolean,
  ownTraffic: boolean,
  pin: text("the path of a folder such as /sys/fs/bpf/tcpspan, without dots", isPin),
  signal: { expected: "an AbortSignal", fits: (value) => value instanceof AbortSignal },
};

/** @throws {UsageError} that says all that is wrong with `options` */
export function checkCaptureOptions(options: CaptureOptions): void {
  const wrong = problems("", options, CAPTURE);
  if (options?.sampling instanceof Object) {
    wrong.push(...problems("sampling.", options.sampling, SAMPLING));
    if (options.sampling.ratio === undefined) wrong.push("sampling.ratio is missing");
  }
  if (wrong.length > 0) throw new UsageError(`cannot capture: ${wrong.join("; ")}`);
}

/** @param prefix of the options' names */
function problems<Options>(prefix: string, options: Options, rules: Rules<Options>): string[] {
  if (typeof options !== "object" || options === null) {
    return [`the options are ${show(options)}, and no object`];
  }
  const known: Readonly<Record<string, Rule>> = rules;
  return Object.entries(options).flatMap(([name, value]: [string, unknown]) => {
    if (!Object.hasOwn(known, name)) {
      const hint = didYouMean(name, Object.keys(known));
      return [`there is no option ${prefix}${name}${hint}`];
    }
    const rule = known[name];
    if (value === undefined || rule === undefined || rule.fits(value)) return [];
    return [`${prefix}${name} is ${show(value)}: expected ${rule.expected}`];
  });
}

function integer(least: number, most: number, what: string): Rule {
  return {
    expected: `${what} from ${least} to ${most}`,
    fits: (value) =>
      typeof value === "number" && Number.isInteger(value) && value >= least && value <= most,
  };
}

function text(expected: string, fits: (text: string) => boolean): Rule {
  return { expected, fits: (value) => typeof value === "string" && fits(value) };
}

function listOf({ expected, fits }: Rule): Rule {
  return {
    expected: `a list, each ${expected}`,
    fits: (value) => Array.isArray(value) && value.every(fits),
  };
}

function show(value: unknown): string {
  return typeof value === "bigint" ? `${value}n` : Deno.inspect(value, { breakLength: Infinity });
}
