/** What the variables of OpenTelemetry and tcpspan do. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { curl, freePort, startNginx } from "./nginx.ts";
import { until } from "./process.ts";
import { startReceiver } from "./receiver.ts";
import { runTcpspan, startTcpspan, TRACING, tracingTo } from "./tcpspan.ts";

const HEADER = "PID   COMM       LADDR           LPORT RADDR           RPORT TX_KB RX_KB MS";
const BRIEFLY = ["--duration", "0.1", "-L", `${freePort()}`];

Deno.test("OTEL_TRACES_EXPORTER=otlp sends spans as OTEL_EXPORTER_OTLP_* and OTEL_* say", async () => {
  await using nginx = await startNginx();
  const port = freePort();
  await using receiver = startReceiver(port);
  await using tool = await startTcpspan(["-D", `${nginx.port}`], {
    env: {
      OTEL_TRACES_EXPORTER: "otlp",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}/`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_HEADERS: "x-tenant=shop%20one",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test,team=a%2Cb",
      OTEL_SERVICE_NAME: "edge",
    },
  });
  await curl([nginx.url("/")]);
  const span = await until("the delivery", () => receiver.spans[0]);
  assert.equal(span.name, `tcp ${nginx.port}`);
  assert.equal(span.resource["service.name"], "edge");
  assert.equal(span.resource["deployment.environment.name"], "test");
  assert.equal(span.resource["team"], "a,b");
  assert.equal(receiver.headers[0]?.get("x-tenant"), "shop one");
  assert.equal(receiver.headers[0]?.get("content-type"), "application/json");
  const { status, stdout, stderr } = await tool.stop("SIGINT");
  assert.deepEqual([status, stdout], [0, ""]);
  assert.equal(
    stderr,
    `\
tcpspan: OTEL_SERVICE_NAME names every process's spans "edge": a service map then has one node for \
all of them
${tracingTo(`otlp http://127.0.0.1:${port}/v1/traces`)}
tcpspan: otlp: delivering to http://127.0.0.1:${port}/v1/traces
tcpspan: captured 1 session; delivered: otlp 1
`,
  );
});

Deno.test("OTEL_TRACES_EXPORTER=console prints the table, with the flags' format", async () => {
  const { status, stdout, stderr } = await runTcpspan(["-s", ...BRIEFLY], {
    env: { OTEL_TRACES_EXPORTER: "console" },
  });
  assert.deepEqual(
    [status, stdout, stderr],
    [0, "PID,COMM,IP,LADDR,LPORT,RADDR,RPORT,TX_KB,RX_KB,MS\n", `${TRACING}\n`],
  );
});

Deno.test("OTEL_TRACES_EXPORTER=console,otlp does both", async () => {
  const { status, stdout, stderr } = await runTcpspan(BRIEFLY, {
    env: { OTEL_TRACES_EXPORTER: "console,otlp" },
  });
  assert.deepEqual([status, stdout], [0, `${HEADER}\n`]);
  assert.equal(
    stderr,
    `${tracingTo("stdout", "otlp http://localhost:4318/v1/traces")}\n` +
      "tcpspan: captured 0 sessions; delivered: stdout 0, otlp 0\n",
  );
});

Deno.test("OTEL_EXPORTER_OTLP_ENDPOINT alone sends spans, and prints no table", async () => {
  const endpoint = `http://127.0.0.1:${freePort()}`;
  const { status, stdout, stderr } = await runTcpspan(BRIEFLY, {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint },
  });
  assert.deepEqual([status, stdout], [0, ""]);
  assert.equal(
    stderr,
    `${tracingTo(`otlp ${endpoint}/v1/traces`)}\ntcpspan: captured 0 sessions; delivered: otlp 0\n`,
  );
});

Deno.test("OTEL_TRACES_EXPORTER=none sends spans nowhere, and says so", async () => {
  const { status, stdout, stderr } = await runTcpspan(BRIEFLY, {
    env: { OTEL_TRACES_EXPORTER: "none" },
  });
  assert.deepEqual([status, stdout], [0, ""]);
  assert.equal(
    stderr,
    `tcpspan: OTEL_TRACES_EXPORTER is none: sessions are traced and go nowhere\n${TRACING}\n`,
  );
});

Deno.test("OTEL_SDK_DISABLED=true switches off what sends spans, not the table", async () => {
  const { status, stdout, stderr } = await runTcpspan(BRIEFLY, {
    config: "exporters: { stdout: {}, otlp/a: {}, otlp/b: {} }",
    env: { OTEL_SDK_DISABLED: "true" },
  });
  assert.deepEqual([status, stdout], [0, `${HEADER}\n`]);
  assert.equal(
    stderr,
    `tcpspan: OTEL_SDK_DISABLED is true: these exporters are off: otlp/a, otlp/b\n${TRACING}\n`,
  );
});

Deno.test("TCPSPAN_CONFIG names the config; paths in it are relative to its folder", async () => {
  const folder = await Deno.makeTempDir({ prefix: "tcpspan-config-" });
  try {
    const file = join(folder, "tcpspan.yaml");
    await Deno.writeTextFile(file, "exporters: { file: { path: spans.jsonl } }");
    const env = { TCPSPAN_CONFIG: file };
    const { status, stdout } = await runTcpspan(BRIEFLY, { env });
    assert.deepEqual([status, stdout], [0, ""]);
    assert.equal(await Deno.readTextFile(join(folder, "spans.jsonl")), "");

    const flag = await runTcpspan(BRIEFLY, { env, config: "exporters: { stdout: {} }" });
    assert.equal(flag.stdout, `${HEADER}\n`, "--config wins");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("an ${env:NAME} of the config is the variable's value", async () => {
  const { status, stdout } = await runTcpspan(BRIEFLY, {
    config: "exporters:\n  stdout:\n    format: ${env:FORMAT}\n    time: ${env:TIME:-true}\n",
    env: { FORMAT: "csv" },
  });
  assert.deepEqual([status, stdout], [
    0,
    "TIME,PID,COMM,IP,LADDR,LPORT,RADDR,RPORT,TX_KB,RX_KB,MS\n",
  ]);
});
