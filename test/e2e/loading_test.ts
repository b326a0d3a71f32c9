/** What a run loads: the packages of npm that it uses, and no others. */
import assert from "node:assert/strict";
import { curl, startNginx } from "./nginx.ts";
import { Process } from "./process.ts";
import { environment, REPOSITORY, TRACING } from "./tcpspan.ts";

/** The program where each import of a package fails. */
function startWithoutNpm(env: Readonly<Record<string, string>> = {}): Process {
  return new Process([Deno.execPath(), "run", "-A", "--frozen", "--no-npm", "mod.ts"], {
    env: environment(env),
    cwd: REPOSITORY,
  });
}

Deno.test("a table loads no zod, no YAML and nothing of OpenTelemetry: no package at all", async () => {
  await using nginx = await startNginx();
  await using tool = startWithoutNpm();
  await tool.stderr.waitForLines(1, (line) => line === TRACING);
  await curl([nginx.url("/")]);
  await tool.stdout.waitForLines(2, (line) => line.includes(` ${nginx.port} `));
  const { status, stderr } = await tool.stop("SIGINT");
  assert.deepEqual([status, stderr], [0, `${TRACING}\n`]);
});

Deno.test("spans to an OTLP receiver load packages", async () => {
  await using tool = startWithoutNpm({ OTEL_TRACES_EXPORTER: "otlp" });
  const { status, stderr } = await tool.end();
  assert.equal(status, 1);
  assert.match(stderr, /npm/);
});
