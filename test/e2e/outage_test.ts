/** An OTLP endpoint that is not there: tcpspan runs, says so once, and delivers later. */
import assert from "node:assert/strict";
import { curl, freePort, type Nginx, startNginx } from "./nginx.ts";
import { until } from "./process.ts";
import { startReceiver } from "./receiver.ts";
import { runTcpspan, startTcpspan, tracingTo } from "./tcpspan.ts";

/** Only sessions of curl to nginx, without tcpspan's own attempts to export. */
function config(nginx: Nginx, port: number): string {
  return `
capture: { remote_ports: [${nginx.port}] }
exporters:
  stdout: { format: json }
  otlp/late:
    endpoint: http://127.0.0.1:${port}
    protocol: http/json
    retry_on_failure: { initial_interval: 100ms, max_interval: 200ms }
`;
}

Deno.test("an endpoint that refuses at the start: reported once, and spans arrive when it is up", async () => {
  await using nginx = await startNginx();
  const port = freePort();
  await using tool = await startTcpspan([], { config: config(nginx, port) });
  const SESSIONS = 5;
  for (let i = 0; i < SESSIONS; i++) {
    const { ended } = await curl([nginx.url("/")]);
    const lines = await tool.stdout.waitForLines(i + 1, () => true);
    assert.ok((lines[i]?.at ?? NaN) - ended < 1000, "stdout does not wait for the endpoint");
    await tool.stderr.waitForLines(1, isRefusal);
  }
  const ids = tool.stdout.lines.map(({ text }): string => JSON.parse(text)["span_id"]);

  await using receiver = startReceiver(port);
  await tool.stderr.waitForLines(1, (line) => line === "tcpspan: otlp/late: delivering again");
  await until("the delivery of what was kept", () => receiver.spans.length >= SESSIONS);
  await curl([nginx.url("/")]);
  await until("the delivery of what came later", () => receiver.spans.length > SESSIONS);
  const { status, stderr } = await tool.stop("SIGINT");
  assert.deepEqual([status, stderr], [
    0,
    `\
${tracingTo("stdout", `otlp/late http://127.0.0.1:${port}/v1/traces`)}
tcpspan: otlp/late: cannot send to http://127.0.0.1:${port}/v1/traces: connection refused; \
trying again, up to 100000 sessions are kept
tcpspan: otlp/late: delivering again
tcpspan: captured ${SESSIONS + 1} sessions; delivered: stdout ${SESSIONS + 1}, otlp/late ${
      SESSIONS + 1
    }
`,
  ]);
  const delivered = receiver.spans.map(({ spanId }) => spanId);
  assert.equal(new Set(delivered).size, SESSIONS + 1);
  for (const id of ids) assert.ok(delivered.includes(id), id);
});

Deno.test("an endpoint that refuses until the end: tcpspan stops quickly and reports what was lost", async () => {
  await using nginx = await startNginx();
  const port = freePort();
  await using tool = await startTcpspan([], { config: config(nginx, port) });
  await curl([nginx.url("/")]);
  await tool.stderr.waitForLines(1, isRefusal);
  const before = performance.now();
  const { status, stderr } = await tool.stop("SIGTERM");
  assert.ok(performance.now() - before < 6000);
  assert.equal(status, 0);
  assert.match(stderr, /^tcpspan: captured 1 session; delivered: stdout 1, otlp\/late 0$/m);
  assert.match(stderr, /^tcpspan: lost 1 session: otlp\/late: not delivered$/m);
  assert.match(
    stderr,
    new RegExp(
      "^tcpspan: nothing was delivered to otlp/late: " +
        `cannot send to http://127.0.0.1:${port}/v1/traces: connection refused$`,
      "m",
    ),
  );
});

Deno.test("a dead exporter does not delay another one", async () => {
  await using nginx = await startNginx();
  const port = freePort();
  await using receiver = startReceiver(port);
  await using silent = Deno.listen({ hostname: "127.0.0.1", port: freePort() }); // never answers
  await using tool = await startTcpspan([], {
    config: `
capture: { remote_ports: [${nginx.port}] }
exporters:
  otlp/silent: { endpoint: "http://127.0.0.1:${silent.addr.port}", timeout: 1s }
  otlp/alive: { endpoint: "http://127.0.0.1:${port}", protocol: http/json }
`,
  });
  const { ended } = await curl([nginx.url("/")]);
  await until("the delivery", () => receiver.spans.length === 1);
  assert.ok(Date.now() - ended < 1000);
  const { status } = await tool.stop("SIGINT");
  assert.equal(status, 0);
});

function isRefusal(line: string): boolean {
  return line.includes("connection refused; trying again");
}

Deno.test("an endpoint that refuses on an idle host: reported at the start and at the end", async () => {
  const endpoint = `http://127.0.0.1:${freePort()}`;
  const reason = `cannot send to ${endpoint}/v1/traces: connection refused`;
  const { status, stderr } = await runTcpspan(["--duration", "1.5", "-L", `${freePort()}`], {
    config: `exporters: { otlp/dead: { endpoint: "${endpoint}" }, file: { path: spans.jsonl } }`,
  });
  assert.equal(status, 0);
  const [tracing, ...lines] = stderr.trimEnd().split("\n");
  assert.match(
    tracing ?? "",
    /^tcpspan: tracing; to otlp\/dead http:.*, file \/\S+\/spans\.jsonl$/,
  );
  assert.deepEqual(lines, [
    `tcpspan: otlp/dead: ${reason}; until it answers, up to 100000 sessions are kept`,
    "tcpspan: captured 0 sessions; delivered: otlp/dead 0, file 0",
    `tcpspan: nothing was delivered to otlp/dead: ${reason}`,
  ]);
});

Deno.test("an endpoint that answers on an idle host: nothing more is said of it", async () => {
  await using receiver = startReceiver(freePort());
  const url = `http://127.0.0.1:${receiver.port}`;
  const { status, stderr } = await runTcpspan(["--duration", "1.5", "-L", `${freePort()}`], {
    config: `exporters: { otlp: { endpoint: "${url}" } }`,
  });
  assert.equal(receiver.requests, 1, "it was asked");
  assert.deepEqual([status, stderr], [
    0,
    `${tracingTo(`otlp ${url}/v1/traces`)}\ntcpspan: captured 0 sessions; delivered: otlp 0\n`,
  ]);
});

Deno.test("where sessions go is shown without what may be secret", async () => {
  const { stderr } = await runTcpspan(["--duration", "0.1", "-L", `${freePort()}`], {
    config: `
exporters:
  otlp: { endpoint: "http://me:hunter2@127.0.0.1:9/base?key=topsecret" }
  zipkin:
    module: npm:@opentelemetry/exporter-zipkin@3.1.0
    export: ZipkinExporter
    options: { url: "http://127.0.0.1:1/?key=topsecret" }
`,
  });
  const [tracing] = stderr.split("\n", 1);
  assert.equal(
    tracing,
    tracingTo(
      "otlp http://127.0.0.1:9/base/v1/traces",
      "zipkin npm:@opentelemetry/exporter-zipkin@3.1.0",
    ),
  );
});
