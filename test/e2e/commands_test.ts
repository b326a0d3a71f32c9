/** The commands that trace nothing. */
import assert from "node:assert/strict";
import { join } from "node:path";
import denoJson from "../../deno.json" with { type: "json" };
import { runTcpspan } from "./tcpspan.ts";

Deno.test("--help and -h print the usage on stdout, status 0, as anybody", async () => {
  const long = await runTcpspan(["--help"]);
  assert.deepEqual([long.status, long.stderr], [0, ""]);
  for (
    const flag of [
      ..."-T, --time|-t, --timestamp|-w, --wide|-s, --csv|-p, --pid|-L, --localport".split("|"),
      ..."-D, --remoteport|-4, --ipv4|-6, --ipv6|-h, --help|-V, --version|-c, --config".split("|"),
      ..."--duration|--log-format|config check|config schema|config example|doctor|TCPSPAN_CONFIG"
        .split("|"),
    ]
  ) {
    assert.ok(long.stdout.includes(flag), flag);
  }
  for (const line of long.stdout.split("\n")) assert.ok(line.length <= 80, line);
  assert.deepEqual(await runTcpspan(["-h"]), long);
});

Deno.test("--version and -V print name and version", async () => {
  for (const flag of ["--version", "-V"]) {
    assert.deepEqual(await runTcpspan([flag]), {
      status: 0,
      stdout: `tcpspan ${denoJson.version}\n`,
      stderr: "",
    });
  }
});

Deno.test("config example prints a config that config check accepts", async () => {
  const example = await runTcpspan(["config", "example"]);
  assert.deepEqual([example.status, example.stderr], [0, ""]);
  const folder = await Deno.makeTempDir({ prefix: "tcpspan-example-" });
  try {
    const file = join(folder, "example.yaml");
    await Deno.writeTextFile(file, example.stdout);
    assert.deepEqual(await runTcpspan(["config", "check", file]), {
      status: 0,
      stdout: "",
      stderr: `tcpspan: ${file} is valid; exporters: stdout, otlp/jaeger, file, zipkin\n`,
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("with --log-format json every message is one JSON object, also about wrong flags and configs", async () => {
  const folder = await Deno.makeTempDir({ prefix: "tcpspan-log-" });
  try {
    const file = join(folder, "bad.yaml");
    await Deno.writeTextFile(file, "capture:\n  pids: 1\n  existing: 2\nexporters: {}\n");
    const asked: [args: string[], status: number, level: string, message: RegExp][] = [
      [["--log-format", "json", "-x"], 2, "error", /^unknown option '-x'; see --help$/],
      [["-x", "--log-format=json"], 2, "error", /^unknown option '-x'; see --help$/],
      [["--log-format=json", "config", "check", file], 2, "error", /:2:9: .*\n.*:3:13: /],
      [["--log-format=json", "config", "check", "/\u202e\n"], 2, "error", /cannot read config/],
    ];
    for (const [args, status, level, message] of asked) {
      const ended = await runTcpspan(args);
      assert.deepEqual([ended.status, ended.stdout], [status, ""]);
      const lines = ended.stderr.split("\n");
      assert.equal(lines.length, 2, ended.stderr);
      const entry = JSON.parse(lines[0] ?? "");
      assert.deepEqual(Object.keys(entry), ["time", "level", "message"]);
      assert.equal(entry.level, level);
      assert.match(entry.message, message);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("config check reports all problems of a config, each with its place, status 2", async () => {
  const folder = await Deno.makeTempDir({ prefix: "tcpspan-check-" });
  try {
    const file = join(folder, "bad.yaml");
    await Deno.writeTextFile(
      file,
      "capture:\n  local_ports: [70000]\nexporters:\n  stdout: { format: xml }\n  oltp: {}\n",
    );
    assert.deepEqual(await runTcpspan(["config", "check", file]), {
      status: 2,
      stdout: "",
      stderr: `\
tcpspan: ${file}:2:17: capture.local_ports[0]: found 70000: expected a port from 1 to 65535
${file}:4:21: exporters.stdout.format: found "xml": expected table, wide, csv or json
${file}:5:3: exporters.oltp: unknown exporter type "oltp": did you mean "otlp"? \
expected stdout, otlp, file, or a module key that names a package
`,
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("config check --deep reports what it tried, and what is wrong with its place, status 2", async () => {
  const folder = await Deno.makeTempDir({ prefix: "tcpspan-deep-" });
  try {
    const file = join(folder, "tcpspan.yaml");
    const config = "exporters:\n  file: { path: spans.jsonl }\n";
    await Deno.writeTextFile(file, config);
    assert.deepEqual(await runTcpspan(["config", "check", "--deep", file]), {
      status: 0,
      stdout: "",
      stderr: "tcpspan: exporter file: can be written to\n" +
        `tcpspan: ${file} is valid; exporters: file\n`,
    });
    await Deno.writeTextFile(file, `${config}  otlp: { endpoint: "http://127.0.0.1:1" }\n`);
    const wrong = await runTcpspan(["config", "check", "--deep", file]);
    assert.equal(wrong.status, 2);
    assert.ok(wrong.stderr.includes(`tcpspan: ${file}:3:9: exporters.otlp: cannot send to `));
    assert.deepEqual(await Array.fromAsync(Deno.readDir(folder), ({ name }) => name), [
      "tcpspan.yaml",
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("config schema prints a JSON Schema that knows every section", async () => {
  const { status, stdout, stderr } = await runTcpspan(["config", "schema"]);
  assert.deepEqual([status, stderr], [0, ""]);
  const schema: { $schema: string; properties: Record<string, unknown> } = JSON.parse(stdout);
  assert.equal(schema.$schema, "https://json-schema.org/draft/2020-12/schema");
  assert.deepEqual(Object.keys(schema.properties), [
    "capture",
    "sampling",
    "resource",
    "trace",
    "shutdown_timeout",
    "drop_privileges",
    "telemetry",
    "exporters",
  ]);
});
