import assert from "node:assert/strict";
import fc from "fast-check";
import { type Arguments, parseArguments } from "../../src/command_line/parse.ts";
import { UsageError } from "../../src/messages/errors.ts";
import { NO_FLAGS, type RunFlags } from "../../src/run/flags.ts";

const RUNS: readonly [args: string, flags: Partial<RunFlags>][] = [
  ["", {}],
  ["-T", { time: true }],
  ["--time", { time: true }],
  ["-t", { timestamp: true }],
  ["--timestamp", { timestamp: true }],
  ["-tT", { time: true, timestamp: true }],
  ["-w", { format: "wide" }],
  ["--wide", { format: "wide" }],
  ["-s", { format: "csv" }],
  ["--csv", { format: "csv" }],
  ["-p 1", { pids: [1] }],
  ["-p 1,2", { pids: [1, 2] }],
  ["-p1,2", { pids: [1, 2] }],
  ["--pid=1", { pids: [1] }],
  ["--pid 1,2 -p 3 --pid=1", { pids: [1, 2, 3] }],
  ["-p 4194304", { pids: [4194304] }],
  ["-L 80", { localPorts: [80] }],
  ["-L 80 -L443", { localPorts: [80, 443] }],
  ["--localport=1,65535", { localPorts: [1, 65535] }],
  ["-D 80,80", { remotePorts: [80] }],
  ["-L 80-83", { localPorts: [80, 81, 82, 83] }],
  ["-L 80,90-92,91", { localPorts: [80, 90, 91, 92] }],
  ["-L 80-80", { localPorts: [80] }],
  ["-D 1-65535", { remotePorts: Array.from({ length: 65535 }, (_, i) => i + 1) }],
  ["--remoteport 80", { remotePorts: [80] }],
  ["-4", { family: "ipv4" }],
  ["--ipv4", { family: "ipv4" }],
  ["-6", { family: "ipv6" }],
  ["--ipv6", { family: "ipv6" }],
  ["-wtTp1,2", { format: "wide", time: true, timestamp: true, pids: [1, 2] }],
  ["-c f.yaml", { config: "f.yaml" }],
  ["-cf.yaml", { config: "f.yaml" }],
  ["--config=f.yaml", { config: "f.yaml" }],
  ["--config a --config b", { config: "b" }],
  ["--duration 5", { duration: 5000 }],
  ["--duration=0.25", { duration: 250 }],
  ["--duration .5", { duration: 500 }],
  ["--duration 10s", { duration: 10_000 }],
  ["--duration=500ms", { duration: 500 }],
  ["--duration 1h30m", { duration: 5_400_000 }],
  ["--log-format json", {}],
  ["--log-format=text", {}],
  ["-T --config f.yaml -L 80 --duration 1 -6", {
    time: true,
    config: "f.yaml",
    localPorts: [80],
    duration: 1000,
    family: "ipv6",
  }],
];

function words(args: string): string[] {
  return args === "" ? [] : args.split(" ");
}

for (const [args, flags] of RUNS) {
  Deno.test(`parseArguments() reads ${args === "" ? "nothing" : args}`, () => {
    assert.deepEqual(parseArguments(words(args)), { ...NO_FLAGS, ...flags });
  });
}

const COMMANDS: readonly [args: string, result: Arguments][] = [
  ["config check f.yaml", { command: "config check", file: "f.yaml" }],
  ["config check --deep f.yaml", { command: "config check", file: "f.yaml", deep: true }],
  ["config check f.yaml --deep", { command: "config check", file: "f.yaml", deep: true }],
  ["config schema", { command: "config schema" }],
  ["config example", { command: "config example" }],
  ["doctor", { command: "doctor", config: undefined, json: false }],
  ["doctor --json", { command: "doctor", config: undefined, json: true }],
  ["doctor --config f.yaml", { command: "doctor", config: "f.yaml", json: false }],
  ["doctor -c f.yaml --json", { command: "doctor", config: "f.yaml", json: true }],
  ["-V", { command: "version" }],
  ["--version", { command: "version" }],
  ["version", { command: "version" }],
  ["--log-format json config check f.yaml", { command: "config check", file: "f.yaml" }],
];

for (const [args, result] of COMMANDS) {
  Deno.test(`parseArguments() reads ${args}`, () => {
    assert.deepEqual(parseArguments(words(args)), result);
  });
}

const PIDS = "expected process ids from 1 to 4194304";
const PORTS = "expected ports from 1 to 65535";
const SECONDS =
  "expected seconds, more than 0 and at most 2147483, or a duration such as 90s or 1h30m";
const COMMAND = "expected flags, config, doctor or unpin";

const BAD: readonly [args: string, message: string][] = [
  ["-x", "unknown option '-x'; see --help"],
  ["--log-format xml", '--log-format: found "xml": expected text or json'],
  ["--log-format", "--log-format: found nothing: expected a value; see --help"],
  ["-Tx", "unknown option '-x'; see --help"],
  ["--tim", "unknown option '--tim': did you mean --time?"],
  ["--wid", "unknown option '--wid': did you mean one of --pid, --wide?"],
  ["--colour", "unknown option '--colour'; see --help"],
  ["--time=5", "unknown option '--time=5': did you mean --time?"],
  ["-p abc", `-p: found "abc": ${PIDS}`],
  ["-p 0", `-p: found "0": ${PIDS}`],
  ["-p -1", `-p: found "-1": ${PIDS}`],
  ["-p 1.5", `-p: found "1.5": ${PIDS}`],
  ["-p 1e3", `-p: found "1e3": ${PIDS}`],
  ["-p 0x10", `-p: found "0x10": ${PIDS}`],
  ["-p 1,,2", `-p: found "1,,2": ${PIDS}`],
  ["-p 1,", `-p: found "1,": ${PIDS}`],
  ["-p=", `-p: found "=": ${PIDS}`],
  ["-p 4194305", `-p: found "4194305": ${PIDS}`],
  ["-p -T", `-p: found "-T": ${PIDS}`],
  [
    `-p ${Array.from({ length: 65 }, (_, i) => i + 1)}`,
    "-p: found 65 process ids: expected at most 64",
  ],
  ["-L 70000", `-L: found "70000": ${PORTS}`],
  ["-L 0", `-L: found "0": ${PORTS}`],
  ["-L http", `-L: found "http": ${PORTS}`],
  ["-L 90-80", `-L: found "90-80": did you mean -L 80-90? ${PORTS}`],
  ["-L 80:90", `-L: found "80:90": did you mean -L 80-90? ${PORTS}`],
  ["-L =80", `-L: found "=80": did you mean -L 80? ${PORTS}`],
  ["-L 80-", `-L: found "80-": ${PORTS}`],
  ["-L -80", `-L: found "-80": ${PORTS}`],
  ["-L 0-80", `-L: found "0-80": ${PORTS}`],
  ["-D 80-65536", `-D: found "80-65536": ${PORTS}`],
  ["-D 80-90-100", `-D: found "80-90-100": ${PORTS}`],
  ["-v", "unknown option '-v': did you mean -V, the version?"],
  ["-wv", "unknown option '-v': did you mean -V, the version?"],
  [
    "--port 443",
    "unknown option '--port': did you mean -L for local ports, or -D for remote ones?",
  ],
  [
    "--dport=443",
    "unknown option '--dport=443': did you mean -L for local ports, or -D for remote ones?",
  ],
  ["-i eth0", "unknown option '-i': every interface is traced"],
  ["-nn", "unknown option '-nn': addresses and ports are always numbers"],
  ["--constructor", "unknown option '--constructor'; see --help"],
  ["check f.yaml", `unknown command "check": did you mean config check FILE? ${COMMAND}`],
  ["tcpspan.yaml", `unknown command "tcpspan.yaml": did you mean --config FILE? ${COMMAND}`],
  ["run", `unknown command "run": tcpspan traces without a command; ${COMMAND}`],
  ["toString", `unknown command "toString": ${COMMAND}`],
  ["-D 65536", `-D: found "65536": ${PORTS}`],
  ["-4 -6", "cannot use -4 and -6 together: expected one of them"],
  ["-64", "cannot use -4 and -6 together: expected one of them"],
  ["-w -s", "cannot use -w and -s together: expected one of them"],
  ["--duration x", `--duration: found "x": ${SECONDS}`],
  ["--duration 0", `--duration: found "0": ${SECONDS}`],
  ["--duration -1", `--duration: found "-1": ${SECONDS}`],
  ["--duration 1min", `--duration: found "1min": did you mean 1m? ${SECONDS}`],
  ["--duration 1d", `--duration: found "1d": did you mean 24h? ${SECONDS}`],
  ["--duration 25d", `--duration: found "25d": ${SECONDS}`],
  ["--duration Infinity", `--duration: found "Infinity": ${SECONDS}`],
  ["--duration 2147484", `--duration: found "2147484": ${SECONDS}`],
  ["--duration=", `--duration: found "": ${SECONDS}`],
  ["-p", "-p: found nothing: expected a value; see --help"],
  ["-c", "-c: found nothing: expected a value; see --help"],
  ["--config=", "-c: found nothing: expected the path of a config file"],
  ["stray", 'unknown command "stray": expected flags, config, doctor or unpin'],
  ["-T stray", 'unknown command "stray": expected flags, config, doctor or unpin'],
  ["-- -T", 'unknown command "-T": expected flags, config, doctor or unpin'],
  [
    "doctr",
    `unknown command "doctr": did you mean "doctor"? ${COMMAND}`,
  ],
  ["doctor x", "too many arguments for 'doctor'. Expected 0 arguments but got 1: x; see --help"],
  ["doctor -T", "unknown option '-T'; see --help"],
  ["doctor --config", "-c: found nothing: expected a value; see --help"],
  ["-c f doctor", "cannot use --config with doctor: expected no flags"],
  ["-T doctor", "cannot use --time with doctor: expected no flags"],
  ["-c f config check g", "cannot use --config with config check: expected no flags"],
  ["config", "config: missing command: expected check FILE, schema or example"],
  ["config chek", "unknown command 'chek': did you mean check?"],
  ["config validate", "unknown command 'validate': did you mean check?"],
  ["config check", "missing argument: expected FILE; see --help"],
  [
    "config check a b",
    "too many arguments for 'check'. Expected 1 argument but got 2: a, b; see --help",
  ],
  [
    "config schema x",
    "too many arguments for 'schema'. Expected 0 arguments but got 1: x; see --help",
  ],
];

for (const [args, message] of BAD) {
  Deno.test(`parseArguments() refuses ${args.slice(0, 40)}`, () => {
    assert.throws(() => parseArguments(words(args)), new UsageError(message));
  });
}

function helpText(...args: string[]): string {
  const result = parseArguments(args);
  assert(result.command === "help");
  return result.text;
}

for (
  const args of [
    "-h",
    "--help",
    "-T -h",
    "config -h",
    "config check -h",
    "doctor --help",
    "help",
    "help doctor",
  ]
) {
  Deno.test(`parseArguments() gives help on ${args}, at most 80 columns wide`, () => {
    const text = helpText(...words(args));
    for (const line of text.split("\n")) assert(line.length <= 80, line);
    assert.match(text, /^Usage: tcpspan /);
  });
}

Deno.test("parseArguments() gives help that names every flag, command, variable and status", () => {
  const text = helpText("--help");
  const wanted = [
    "-T, --time",
    "-t, --timestamp",
    "-w, --wide",
    "-s, --csv",
    "-p, --pid PID[,PID]",
    "-L, --localport P[,P]",
    "-D, --remoteport P[,P]",
    "-4, --ipv4",
    "-6, --ipv6",
    "-h, --help",
    "-V, --version",
    "-c, --config FILE",
    "--duration SECONDS",
    "config check FILE",
    "config schema",
    "config example",
    "doctor",
    "TCPSPAN_CONFIG",
    "OTEL_TRACES_EXPORTER",
    "OTEL_EXPORTER_OTLP_*",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_SDK_DISABLED",
    "sudo deno run -A mod.ts --config tcpspan.yaml",
    "  0  ",
    "  1  ",
    "  2  ",
  ];
  assert.deepEqual(wanted.filter((piece) => !text.includes(piece)), []);
});

Deno.test("parseArguments() gives a result or a UsageError for any arguments", () => {
  const argument = fc.oneof(
    fc.constantFrom(...RUNS.flatMap(([args]) => words(args))),
    fc.constantFrom(...COMMANDS.flatMap(([args]) => words(args))),
    fc.constantFrom("--", "-", "", "-h", "help", "__proto__", "--__proto__", "constructor"),
    fc.string(),
    fc.string().map((text) => `-${text}`),
    fc.string().map((text) => `--${text}`),
  );
  fc.assert(
    fc.property(fc.array(argument, { maxLength: 6 }), (args) => {
      try {
        parseArguments(args);
      } catch (error) {
        assert(error instanceof UsageError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("parseArguments() reads any list of ports", () => {
  const ports = fc.uniqueArray(fc.integer({ min: 1, max: 65535 }), { minLength: 1 });
  fc.assert(fc.property(ports, (list) => {
    assert.deepEqual(parseArguments(["-L", list.join()]), { ...NO_FLAGS, localPorts: list });
  }));
});
