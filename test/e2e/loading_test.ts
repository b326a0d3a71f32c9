/** What a run loads: the packages of npm that it uses, and no others. */
import assert from "node:assert/strict";
import { glob } from "node:fs/promises";
import { join } from "node:path";
import { makeTempFolder, type TempFolder } from "../temp_folder.ts";
import { curl, freePort, startNginx } from "./nginx.ts";
import { Process, until } from "./process.ts";
import { startReceiver } from "./receiver.ts";
import { command, environment, REPOSITORY, runTcpspan, startTcpspan, TRACING } from "./tcpspan.ts";

const CONFIG = `
exporters:
  stdout: {}
  otlp: { endpoint: "http://127.0.0.1:4318" }
  file: { path: spans.jsonl }
`;

const OFFLINE = ["-A", "--cached-only"];

/** A folder for Deno's cache, with a config file in it. */
async function makeCache(): Promise<TempFolder> {
  const cache = await makeTempFolder();
  await Deno.writeTextFile(join(cache.path, "tcpspan.yaml"), CONFIG);
  return cache;
}

/** The packages that Deno has in its cache. */
async function packagesIn({ path }: TempFolder): Promise<string[]> {
  const files = await Array.fromAsync(
    glob(["npm/*/*/*/package.json", "npm/*/@*/*/*/package.json"], { cwd: path }),
  );
  return files.map((file) => file.split("/").slice(2, -2).join("/")).sort();
}

for (
  const args of [
    ["--help"],
    ["--version"],
    ["config", "example"],
    ["config", "schema"],
    ["config", "check", "tcpspan.yaml"],
    ["doctor"],
    ["--flag-that-is-none"],
  ]
) {
  Deno.test(`${args.join(" ")} loads no package, with an empty DENO_DIR, online or not`, async () => {
    for (const permissions of [OFFLINE, ["-A"]]) {
      await using cache = await makeCache();
      const found = args.map((text) => text.endsWith(".yaml") ? join(cache.path, text) : text);
      const { status, stdout, stderr } = await runTcpspan(found, {
        permissions,
        env: { DENO_DIR: cache.path },
      });
      assert.equal(status, args[0] === "--flag-that-is-none" ? 2 : 0, stdout + stderr);
      assert.deepEqual(await packagesIn(cache), []);
    }
  });
}

Deno.test("a table loads no package, with an empty DENO_DIR, online or not", async () => {
  await using nginx = await startNginx();
  for (const permissions of [OFFLINE, ["-A"]]) {
    await using cache = await makeCache();
    await using tool = await startTcpspan(["-L", `${nginx.port}`], {
      permissions,
      env: { DENO_DIR: cache.path },
    });
    await curl([nginx.url("/")]);
    await tool.stdout.waitForLines(1, (line) => line.includes(` ${nginx.port} `));
    const { status, stderr } = await tool.stop("SIGINT");
    assert.deepEqual([status, stderr], [0, `${TRACING}\n`]);
    assert.deepEqual(await packagesIn(cache), []);
  }
});

Deno.test("spans to an OTLP receiver need packages, and say how to get them", async () => {
  await using cache = await makeCache();
  const { status, stderr } = await runTcpspan([], {
    permissions: OFFLINE,
    env: { DENO_DIR: cache.path, OTEL_TRACES_EXPORTER: "otlp" },
  });
  assert.equal(status, 1);
  assert.match(
    stderr,
    /^tcpspan: cannot load npm:@opentelemetry\/\S+: npm package not found in cache: .*; to download what runs use: cd \S+ && deno install --frozen --entrypoint mod\.ts\n$/,
  );
});

const DOWNLOAD_MS = 120_000;

Deno.test("spans to an OTLP receiver fetch the packages that make them, and none of the tests' packages", async () => {
  await using nginx = await startNginx();
  await using cache = await makeCache();
  const port = freePort();
  await using receiver = startReceiver(port);
  await using tool = new Process(command("-L", `${nginx.port}`), {
    env: environment({
      DENO_DIR: cache.path,
      OTEL_TRACES_EXPORTER: "otlp",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    }),
    cwd: REPOSITORY,
  });
  await tool.stderr.waitForLines(1, (line) => line.startsWith(TRACING), DOWNLOAD_MS);
  await curl([nginx.url("/")]);
  await until("the delivery", () => receiver.spans.length > 0);
  const { status } = await tool.stop("SIGINT");
  assert.equal(status, 0);
  assert.deepEqual(
    await packagesIn(cache),
    [
      "api",
      "core",
      "otlp-transformer",
      "resources",
      "sdk-logs",
      "sdk-metrics",
      "sdk-trace",
      "semantic-conventions",
    ].map((name) => `@opentelemetry/${name}`),
  );
});
