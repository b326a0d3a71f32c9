/** Bad flags, configs and variables: the whole message, status 2, nothing on stdout. */
import assert from "node:assert/strict";
import { together } from "../together.ts";
import { withReadOnly } from "./places.ts";
import { runTcpspan, type TcpspanOptions } from "./tcpspan.ts";

interface Case extends TcpspanOptions {
  readonly name: string;
  readonly args?: readonly string[];
  /** All of stderr, without the leading `tcpspan: ` and the line end; the config file is FILE. */
  readonly says: string | RegExp;
}

const SECTIONS = "expected one of capture, sampling, resource, trace, shutdown_timeout, " +
  "drop_privileges, telemetry, exporters";
const URL_EXPECTED = "expected an http or https URL such as http://localhost:4318";
const EXPORTERS_EXPECTED =
  "expected a mapping of exporter ids, such as stdout or otlp/jaeger, to their settings";

const FLAGS: readonly Case[] = [
  { name: "an unknown flag", args: ["--wibble"], says: /^unknown option ['"]--wibble['"].*$/ },
  {
    name: "a misspelt flag",
    args: ["--localprot", "80"],
    says: /^unknown option ['"]--localprot['"]: did you mean --localport\?$/,
  },
  {
    name: "a pid that is not a number",
    args: ["-p", "abc"],
    says: '-p: found "abc": expected process ids from 1 to 4194304',
  },
  { name: "a flag without its value", args: ["-p"], says: /^-p.*: found nothing: expected .+$/ },
  {
    name: "a port that is too large",
    args: ["-L", "70000"],
    says: '-L: found "70000": expected ports from 1 to 65535',
  },
  {
    name: "a port of zero",
    args: ["-D", "80,0"],
    says: '-D: found "80,0": expected ports from 1 to 65535',
  },
  {
    name: "both families",
    args: ["-4", "-6"],
    says: "cannot use -4 and -6 together: expected one of them",
  },
  {
    name: "two formats",
    args: ["-w", "-s"],
    says: "cannot use -w and -s together: expected one of them",
  },
  {
    name: "an invalid duration",
    args: ["--duration", "soon"],
    says:
      /^--duration: found "soon": expected seconds, more than 0 and at most \d+, or a duration such as 90s or 1h30m$/,
  },
  {
    name: "an unknown command",
    args: ["doctr"],
    says: 'unknown command "doctr": did you mean "doctor"? expected flags, config, doctor or unpin',
  },
  {
    name: "config without its command",
    args: ["config"],
    says: "config: missing command: expected check FILE, schema or example",
  },
  {
    name: "a flag with a command that has none",
    args: ["-T", "doctor"],
    says: "cannot use --time with doctor: expected no flags",
  },
];

const CONFIGS: readonly Case[] = [
  {
    name: "a missing file",
    args: ["--config", "/nonexistent/tcpspan.yaml"],
    says: "/nonexistent/tcpspan.yaml: cannot read config: no such file",
  },
  {
    name: "a missing file that TCPSPAN_CONFIG names",
    env: { TCPSPAN_CONFIG: "/nonexistent/tcpspan.yaml" },
    says: "/nonexistent/tcpspan.yaml: cannot read config: no such file",
  },
  {
    name: "a folder",
    args: ["--config", "/etc"],
    says: "/etc: cannot read config: found a directory: expected a file",
  },
  {
    name: "an empty file",
    config: "",
    says: "FILE:1:1: empty: expected a mapping with an exporters section",
  },
  {
    name: "only comments",
    config: "# nothing\n",
    says: "FILE:1:1: empty: expected a mapping with an exporters section",
  },
  {
    name: "a file that is not text",
    config: "\0\x01\x02",
    says: "FILE:1:1: not a text file: expected YAML in UTF-8",
  },
  {
    name: "a file that is not YAML",
    config: "exporters:\n\tstdout: {}\n",
    says: "FILE:2:1: not YAML: tabs are not allowed as indentation: expected spaces",
  },
  {
    name: "a list",
    config: "- stdout\n",
    says: "FILE:1:1: found a list: expected a mapping with an exporters section",
  },
  {
    name: "an unknown section",
    config: "exporters: { stdout: {} }\ncaptured: {}\n",
    says: `FILE:2:1: captured: unknown key: did you mean "capture"? ${SECTIONS}`,
  },
  {
    name: "an unknown key",
    config: "exporters:\n  stdout:\n    fromat: csv\n",
    says: 'FILE:3:5: exporters.stdout.fromat: unknown key: did you mean "format"? ' +
      "expected one of format, time, timestamp",
  },
  {
    name: "a value of a wrong type",
    config: "capture:\n  pids: nginx\nexporters:\n  stdout: {}\n",
    says: 'FILE:2:9: capture.pids: found "nginx": expected a list of at most 64 process ids',
  },
  {
    name: "a duration without its unit",
    config: "exporters:\n  otlp:\n    timeout: 10\n",
    says:
      /^FILE:3:14: exporters\.otlp\.timeout: found 10: did you mean "10s"\? expected a duration .*such as 500ms, 30s or 1h30m$/,
  },
  {
    name: "an exporter twice",
    config: "exporters:\n  otlp/a: {}\n  stdout: {}\n  otlp/a: {}\n",
    says: "FILE:4:3: exporters.otlp/a: duplicate key: expected it once, found it on line 2 too",
  },
  {
    name: "an empty list of exporters",
    config: "exporters: {}\n",
    says: "FILE:1:1: exporters: no exporter: expected at least one, such as stdout or otlp",
  },
  {
    name: "exporters missing",
    config: "capture: {}\n",
    says: `FILE:1:1: exporters: missing: ${EXPORTERS_EXPECTED}`,
  },
  {
    name: "an unknown exporter",
    config: "exporters:\n  zipkin: {}\n",
    says: 'FILE:2:3: exporters.zipkin: unknown exporter type "zipkin": did you mean a module ' +
      "key with npm:@opentelemetry/exporter-zipkin? expected stdout, otlp, file, or a module key that names a package",
  },
  {
    name: "an unset variable",
    config: 'exporters:\n  otlp:\n    headers: { authorization: "Bearer ${env:NO_SUCH}" }\n',
    says: "FILE:3:31: exporters.otlp.headers.authorization: environment variable NO_SUCH is not " +
      "set, or empty: expected a value for it, or a default as in ${env:NO_SUCH:-default}",
  },
  {
    name: "an endpoint that is not a URL",
    config: "exporters:\n  otlp:\n    endpoint: jaeger\n",
    says: `FILE:3:15: exporters.otlp.endpoint: found "jaeger": ${URL_EXPECTED}`,
  },
  {
    name: "an endpoint without its scheme",
    config: "exporters:\n  otlp:\n    endpoint: localhost:4318\n",
    says: `FILE:3:15: exporters.otlp.endpoint: found "localhost:4318": ` +
      `did you mean "http://localhost:4318"? ${URL_EXPECTED}; ` +
      "host:port needs protocol: grpc",
  },
  {
    name: "a file in a missing folder",
    config: "exporters:\n  file:\n    path: /nonexistent/spans.jsonl\n",
    says: "exporters.file.path: cannot write /nonexistent/spans.jsonl: there is no folder " +
      "/nonexistent: create it, or name another",
  },
  {
    name: "a file that is a folder",
    config: "exporters:\n  file/all:\n    path: /etc\n",
    says: "exporters.file/all.path: cannot write /etc: it is a directory: name a file in it",
  },
  {
    name: "a file that cannot be written",
    config: "exporters:\n  file:\n    path: /etc/spans.jsonl\n",
    inside: withReadOnly("/etc"),
    says: "exporters.file.path: cannot write /etc/spans.jsonl: Read-only file system: name a " +
      "file that can be written, or change who may write it",
  },
  {
    name: "missing certificates",
    config:
      "exporters:\n  otlp:\n    endpoint: https://localhost:4318\n    tls: { ca_file: /no/ca.pem }\n",
    says: 'exporters.otlp: cannot read tls.ca_file: "/no/ca.pem": no such file',
  },
  {
    name: "an unknown module",
    config: "exporters:\n  mine:\n    module: ./missing.ts\n    export: MyExporter\n",
    says: /^exporters\.mine\.module: cannot load \.\/missing\.ts: .*\/missing\.ts"?$/,
  },
  {
    name: "a package without npm: in front",
    config: "exporters:\n  mine:\n    module: my-exporter\n    export: MyExporter\n",
    says:
      /^exporters\.mine\.module: cannot load my-exporter: .*; for a package write npm:my-exporter$/,
  },
  {
    name: "an unknown export",
    config: "exporters:\n  mine:\n    module: npm:@opentelemetry/exporter-zipkin@3.1.0\n" +
      "    export: ZipkinExport\n",
    says: "exporters.mine.export: npm:@opentelemetry/exporter-zipkin@3.1.0 exports no " +
      "ZipkinExport; its exporters: ZipkinExporter",
  },
  {
    name: "format flags without stdout",
    args: ["-T", "-s"],
    config: "exporters: { otlp: {} }\n",
    says: "cannot use -T -s: found no stdout exporter: expected one, whose format these flags set",
  },
];

const VARIABLES: readonly Case[] = [
  {
    name: "OTEL_TRACES_EXPORTER=zipkin",
    env: { OTEL_TRACES_EXPORTER: "zipkin" },
    says: 'cannot use OTEL_TRACES_EXPORTER: found "zipkin": expected otlp, console, or none alone',
  },
  {
    name: "OTEL_TRACES_EXPORTER=none,otlp",
    env: { OTEL_TRACES_EXPORTER: "none,otlp" },
    says:
      'cannot use OTEL_TRACES_EXPORTER: found "none,otlp": expected otlp, console, or none alone',
  },
  {
    name: "format flags with OTEL_TRACES_EXPORTER=otlp",
    args: ["-w"],
    env: { OTEL_TRACES_EXPORTER: "otlp" },
    says: "cannot use -w: found no stdout exporter: expected one, whose format these flags set",
  },
];

const run = together(
  [...FLAGS, ...CONFIGS, ...VARIABLES],
  ({ name: _, says: _says, args = [], ...options }) => runTcpspan(args, options),
);

for (
  const [kind, cases] of Object.entries({ flags: FLAGS, config: CONFIGS, variables: VARIABLES })
) {
  for (const one of cases) {
    const { name, says } = one;
    Deno.test(`${kind}: ${name}`, async () => {
      const { status, stdout, stderr } = await run(one);
      assert.match(stderr, /^tcpspan: .*\n$/);
      const said = stderr.slice("tcpspan: ".length, -1);
      if (typeof says === "string") assert.equal(said, says);
      else assert.match(said, says);
      assert.deepEqual([status, stdout], [2, ""]);
    });
  }
}

Deno.test("config: a duplicate exporter, an unset variable and a wrong type are reported together", async () => {
  const { status, stderr } = await runTcpspan([], {
    config: "exporters:\n  stdout: { time: soon }\n  otlp:\n    endpoint: ${env:NO_SUCH}\n" +
      "  stdout: {}\n",
  });
  assert.equal(status, 2);
  assert.deepEqual(
    stderr.trimEnd().split("\n").map((line) => /FILE:\d+:\d+: [^:]+/.exec(line)?.[0]),
    [
      "FILE:2:19: exporters.stdout.time",
      "FILE:4:15: exporters.otlp.endpoint",
      "FILE:5:3: exporters.stdout",
    ],
  );
});
