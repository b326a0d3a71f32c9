/** What somebody may have meant by a flag or command that there is not. */

const PORTS = "did you mean -L for local ports, or -D for remote ones?";
const FORMAT = "did you mean -w or -s, or stdout's format in a config?";
const LEVELS = "messages have no levels; --log-format sets their format";
const NUMBERS = "addresses and ports are always numbers";
const INTERFACES = "every interface is traced";
const CONFIG = "did you mean -c FILE, the config, or the file exporter in it?";
const FILE = "did you mean the file exporter in a config?";
const CHECK = "did you mean config check FILE?";
const ALONE = "tcpspan traces without a command";
const EXPORTER = "did you mean --config FILE, which names exporters, or OTEL_TRACES_EXPORTER=otlp?";

/** Flags of tcplife's neighbours (ss, tcpdump, bpftrace, the Collector), and ours for them. */
const FLAGS: Readonly<Record<string, string>> = {
  "-v": "did you mean -V, the version?",
  "-?": "did you mean -h?",
  "-H": "did you mean -h?",
  "--port": PORTS,
  "--ports": PORTS,
  "-P": PORTS,
  "--sport": PORTS,
  "--dport": PORTS,
  "--lport": "did you mean -L?",
  "--rport": "did you mean -D?",
  "--peerport": "did you mean -D?",
  "--dest-port": "did you mean -D?",
  "-i": INTERFACES,
  "--interface": INTERFACES,
  "--interval": "did you mean capture.interim in a config, for sessions that stay open?",
  "-n": NUMBERS,
  "-nn": NUMBERS,
  "--numeric": NUMBERS,
  "--tcp": "only TCP is traced",
  "--pids": "did you mean -p?",
  "-f": CONFIG,
  "--file": CONFIG,
  "-o": FILE,
  "--output": FILE,
  "--out": FILE,
  "--format": FORMAT,
  "--json": FORMAT,
  "--exporter": EXPORTER,
  "--endpoint": EXPORTER,
  "--otlp": EXPORTER,
  "--verbose": LEVELS,
  "--quiet": LEVELS,
  "-q": LEVELS,
  "--debug": LEVELS,
  "--log-level": LEVELS,
  "--loglevel": LEVELS,
  "--dry-run": "did you mean doctor, which tries a run?",
  "--check": CHECK,
  "--config-check": CHECK,
  "--validate": CHECK,
  "--timeout": "did you mean --duration?",
  "--time-limit": "did you mean --duration?",
  "--count": "did you mean --duration?",
};

/** Words that are no commands by themselves. */
const COMMANDS: Readonly<Record<string, string>> = {
  check: CHECK,
  validate: CHECK,
  test: CHECK,
  example: "did you mean config example?",
  schema: "did you mean config schema?",
  run: ALONE,
  start: ALONE,
  trace: ALONE,
  stop: "SIGINT and SIGTERM stop the one that runs; unpin removes what is pinned",
  port: PORTS,
};

/** The end of a message about an unknown flag, as it was given; empty if nothing is known. */
export function hintAtFlag(flag: string): string {
  const [name = ""] = flag.split("=", 1);
  return Object.hasOwn(FLAGS, name) ? `: ${FLAGS[name]}` : "";
}

/** What comes before what is expected in place of an unknown command; empty if nothing is known. */
export function hintAtCommand(word: string): string {
  if (/\.ya?ml$/.test(word)) return "did you mean --config FILE? ";
  const hint = Object.hasOwn(COMMANDS, word) ? COMMANDS[word] : undefined;
  if (hint === undefined) return "";
  return hint.endsWith("?") ? `${hint} ` : `${hint}; `;
}
