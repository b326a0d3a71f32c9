/** Health as metrics: to a real Collector, and on the page for Prometheus. */
import assert from "node:assert/strict";
import denoJson from "../../deno.json" with { type: "json" };
import { otlpExporter } from "../../exporters/otlp/otlp.ts";
import { otlpSettings } from "../../exporters/otlp/settings.ts";
import { UsageError } from "../../src/messages/errors.ts";
import { log } from "../../src/messages/log.ts";
import type { TelemetrySettings } from "../../src/telemetry/settings.ts";
import { LOSS_PLACES } from "../../src/telemetry/losses.ts";
import { Telemetry } from "../../src/telemetry/telemetry.ts";
import { startCollector } from "../backends/collector.ts";
import { type MetricPoint, metricPoints } from "../backends/otlp_metrics.ts";
import { until } from "../e2e/process.ts";
import { HEALTH } from "../health.ts";
import { accept, answer, OtlpReceiver, type Reply } from "../otlp_receiver.ts";

const STDOUT = { "otel.component.name": "stdout", "otel.component.type": "stdout" };
const OTLP = { "otel.component.name": "otlp/a", "otel.component.type": "otlp" };

type Point = [
  kind: MetricPoint["kind"],
  unit: string,
  value: number,
  attributes?: Record<string, string>,
];

const lost = (value: number, place: string, exporter = {}): Point => [
  "counter",
  "{session}",
  value,
  { "tcpspan.loss.place": place, ...exporter },
];

/** HEALTH as metrics. */
const METRICS: readonly [name: string, ...points: Point[]][] = [
  ["tcpspan.session.captured", ["counter", "{session}", 101]],
  ["tcpspan.session.sampled_out", ["counter", "{session}", 102]],
  [
    "tcpspan.session.lost",
    lost(1, "ring_full"),
    lost(2, "storage_failed"),
    lost(3, "over_cap"),
    lost(4, "unseen"),
    lost(6, "queue_full", STDOUT),
    lost(0, "not_delivered", STDOUT),
    lost(0, "rejected", STDOUT),
    lost(0, "corrupt", STDOUT),
    lost(11, "queue_full", OTLP),
    lost(10, "not_delivered", OTLP),
    lost(9, "rejected", OTLP),
    lost(12, "corrupt", OTLP),
  ],
  ["tcpspan.capture.skipped_runs", ["counter", "{run}", 5]],
  ["tcpspan.capture.lag", ["gauge", "s", 0.125]],
  ["tcpspan.ring.usage", ["up-down counter", "By", 2048]],
  ["tcpspan.ring.limit", ["up-down counter", "By", 16 * 2 ** 20]],
  [
    "otel.sdk.processor.span.queue.size",
    ["up-down counter", "{span}", 0, STDOUT],
    ["up-down counter", "{span}", 7, OTLP],
  ],
  [
    "otel.sdk.processor.span.queue.capacity",
    ["up-down counter", "{span}", 1000, STDOUT],
    ["up-down counter", "{span}", 1000, OTLP],
  ],
  [
    "otel.sdk.exporter.span.inflight",
    ["up-down counter", "{span}", 0, STDOUT],
    ["up-down counter", "{span}", 14, OTLP],
  ],
  [
    "tcpspan.queue.disk.corrupt",
    ["counter", "By", 0, STDOUT],
    ["counter", "By", 15, OTLP],
  ],
  [
    "tcpspan.queue.disk.usage",
    ["up-down counter", "By", 0, STDOUT],
    ["up-down counter", "By", 1000, OTLP],
  ],
  ["tcpspan.queue.disk.limit", ["up-down counter", "By", 2 ** 20, OTLP]],
  [
    "tcpspan.queue.restored",
    ["counter", "{session}", 0, STDOUT],
    ["counter", "{session}", 8, OTLP],
  ],
  [
    "otel.sdk.exporter.span.exported",
    ["counter", "{span}", 90, STDOUT],
    ["counter", "{span}", 0, { ...STDOUT, "error.type": "rejected" }],
    ["counter", "{span}", 0, { ...STDOUT, "error.type": "not_delivered" }],
    ["counter", "{span}", 80, OTLP],
    ["counter", "{span}", 9, { ...OTLP, "error.type": "rejected" }],
    ["counter", "{span}", 10, { ...OTLP, "error.type": "not_delivered" }],
  ],
  [
    "tcpspan.exporter.retries",
    ["counter", "{retry}", 0, STDOUT],
    ["counter", "{retry}", 13, OTLP],
  ],
  ["process.uptime", ["gauge", "s", 61.25]],
  ["process.memory.usage", ["up-down counter", "By", 100 * 2 ** 20]],
];

const POINTS = METRICS.flatMap(([name, ...points]) =>
  points.map(([kind, unit, value, attributes = {}]) => ({ name, kind, unit, value, attributes }))
);

/** @param settings as in the config file, under `exporters.otlp/a` */
function toOtlp(settings: object, interval: number): TelemetrySettings {
  const exporter = { id: "otlp/a", type: otlpExporter, settings: otlpSettings.parse(settings) };
  return { otlp: { exporter, interval }, prometheus: undefined };
}

const PAGE: TelemetrySettings = { otlp: undefined, prometheus: { host: "127.0.0.1", port: 0 } };

function open(settings: TelemetrySettings): Promise<Telemetry> {
  return Telemetry.open(settings, {
    baseDirectory: "/",
    env: () => undefined,
    resourceAttributes: { "service.name": "of the spans", "deployment.environment.name": "test" },
  });
}

/** Keeps what is logged, until it is disposed of. */
function catchLog(): Disposable & { readonly warnings: string[]; readonly infos: string[] } {
  const { warn, info } = log;
  const warnings: string[] = [];
  const infos: string[] = [];
  log.warn = (message) => void warnings.push(String(message)); // also limited ones
  log.info = (message) => void infos.push(message);
  return { warnings, infos, [Symbol.dispose]: () => void Object.assign(log, { warn, info }) };
}

for (const protocol of ["http/protobuf", "http/json", "grpc"] as const) {
  Deno.test(`a Collector gets every metric over ${protocol}, each with its value and unit`, async () => {
    await using collector = await startCollector({ metrics: true });
    const endpoint = protocol === "grpc" ? collector.otlpGrpc : collector.otlpHttp;
    await using telemetry = await open(
      toOtlp({ endpoint, protocol, compression: "gzip" }, 3_600_000),
    );
    telemetry.start(() => HEALTH);
    await telemetry.close(5000); // the last export is the only one
    const points = await until("the metrics", async () => {
      const points = await collector.metrics();
      return points.length > 0 && points;
    });
    assert.deepEqual(points.map(({ resource: _, ...point }) => point), POINTS);
    const resource = points[0]?.resource ?? {};
    assert.equal(resource["service.name"], "tcpspan");
    assert.equal(resource["service.version"], denoJson.version);
    assert.equal(resource["host.name"], Deno.hostname());
    assert.equal(resource["deployment.environment.name"], "test");
    assert.ok(resource["service.instance.id"]);
  });
}

Deno.test("docs/health.md explains every metric, its unit and its kind, and every place of a loss", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/health.md", import.meta.url));
  for (const [name, [kind, unit] = ["", ""]] of METRICS) {
    assert.match(text, new RegExp(`^\\| \`${name}\` \\[\`${unit}\`\\] +\\| ${kind} `, "m"), name);
  }
  for (const place of Object.keys(LOSS_PLACES)) {
    assert.match(text, new RegExp(`^\\| \`${place}\` `, "m"));
  }
});

Deno.test("metrics are sent at the interval, with their values then, and once more at the end", async () => {
  await using receiver = await OtlpReceiver.start();
  await using telemetry = await open(
    toOtlp({ endpoint: receiver.url(), protocol: "http/json", headers: { "x-token": "t" } }, 100),
  );
  let captured = 1;
  telemetry.start(() => ({ ...HEALTH, captured }));
  const values = () =>
    receiver.requests.map(({ body }) =>
      metricPoints(new TextDecoder().decode(body))
        .find(({ name }) => name === "tcpspan.session.captured")?.value
    );
  await until("two exports", () => receiver.requests.length >= 2);
  captured = 2;
  await until("the new value", () => values().includes(2));
  captured = 3;
  await telemetry.close(1000);
  assert.equal(values().at(-1), 3);
  const [request] = receiver.requests;
  assert.deepEqual([request?.path, request?.headers["x-token"]], ["/v1/metrics", "t"]);
});

Deno.test("nothing is sent for a run that did not get as far as tracing", async () => {
  await using receiver = await OtlpReceiver.start();
  await using _telemetry = await open(toOtlp({ endpoint: receiver.url() }, 100));
  await new Promise((resolve) => setTimeout(resolve, 350));
  assert.equal(receiver.requests.length, 0);
});

Deno.test("an endpoint that refuses is reported once, and again when it takes metrics", async () => {
  let reply: Reply = answer(503, "not now");
  await using receiver = await OtlpReceiver.start((...args) => reply(...args));
  using log = catchLog();
  await using telemetry = await open(toOtlp({ endpoint: receiver.url() }, 50));
  telemetry.start(() => HEALTH);
  await until("some exports", () => receiver.requests.length >= 4);
  reply = accept;
  await until("another message", () => log.warnings.length > 1);
  await telemetry.close(1000);
  assert.deepEqual(log.warnings, [
    `telemetry.otlp: cannot send to ${receiver.url()}/v1/metrics: HTTP 503 Service Unavailable: ` +
    "not now; the next metrics make up for it",
    "telemetry.otlp: metrics are taken again",
  ]);
});

for (
  const [name, reply, reason] of [
    [
      "a web page",
      answer(200, "<html>", { "content-type": "text/html" }),
      "HTTP 200 OK: text/html, not application/x-protobuf; is the port right?",
    ],
    ["too large a request", answer(413), "HTTP 413 Payload Too Large"],
  ] as const
) {
  Deno.test(`metrics that are answered with ${name} are reported as not taken`, async () => {
    await using receiver = await OtlpReceiver.start(reply);
    using log = catchLog();
    await using telemetry = await open(toOtlp({ endpoint: receiver.url() }, 50));
    telemetry.start(() => HEALTH);
    await until("a message", () => log.warnings.length > 0);
    assert.deepEqual(log.warnings, [
      `telemetry.otlp: cannot send to ${receiver.url()}/v1/metrics: ${reason}; ` +
      "the next metrics make up for it",
    ]);
  });
}

Deno.test("a partial success is reported with what was rejected", async () => {
  const body = JSON.stringify({
    partialSuccess: { rejectedDataPoints: "3", errorMessage: "too many\nseries" },
  });
  await using receiver = await OtlpReceiver.start(
    answer(200, body, { "content-type": "application/json" }),
  );
  using log = catchLog();
  await using telemetry = await open(
    toOtlp({ endpoint: receiver.url(), protocol: "http/json" }, 50),
  );
  telemetry.start(() => HEALTH);
  await until("a message", () => log.warnings.length > 0);
  assert.deepEqual(log.warnings, [
    "telemetry.otlp: the server rejected 3 data points: too many series",
  ]);
});

Deno.test("an endpoint that never answers delays the end no longer than allowed", async () => {
  await using receiver = await OtlpReceiver.start(() => {});
  using log = catchLog();
  const telemetry = await open(toOtlp({ endpoint: receiver.url(), timeout: "30s" }, 3_600_000));
  telemetry.start(() => HEALTH);
  const before = performance.now();
  await telemetry.close(300);
  const took = performance.now() - before;
  assert.ok(took >= 295 && took < 1000, `${took} ms`);
  await until("a message", () => log.warnings.length > 0);
  assert.match(log.warnings.join(), /given up at shutdown/);
});

Deno.test("the Prometheus page shows every metric, with HELP and TYPE, and nothing else is served", async () => {
  using log = catchLog();
  await using telemetry = await open(PAGE);
  telemetry.start(() => HEALTH);
  const [, url = ""] = /^metrics are at (http:\/\/127\.0\.0\.1:\d+\/metrics)$/
    .exec(log.infos.join()) ?? [];
  const response = await fetch(url);
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type") ?? "", /^text\/plain/);
  const page = await response.text();
  const SAMPLES = [
    "tcpspan_session_captured_total{} 101",
    'tcpspan_session_lost_total{tcpspan_loss_place="ring_full"} 1',
    'tcpspan_session_lost_total{tcpspan_loss_place="queue_full",otel_component_name="otlp/a",' +
    'otel_component_type="otlp"} 11',
    'otel_sdk_exporter_span_exported_total{otel_component_name="otlp/a",' +
    'otel_component_type="otlp"} 80',
    'otel_sdk_processor_span_queue_size{otel_component_name="otlp/a",otel_component_type="otlp"} 7',
    "tcpspan_ring_usage{} 2048",
    "tcpspan_capture_lag{} 0.125",
  ];
  const samples = page.split("\n").map((line) => line.replace(/,?otel_scope_\w+="[^"]*"/g, ""));
  for (const sample of SAMPLES) assert.ok(samples.includes(sample), `${sample} in\n${page}`);
  for (const [name] of METRICS) {
    const shown = name.replaceAll(".", "_");
    assert.match(page, new RegExp(`^# HELP ${shown}(_total)? .`, "m"));
    assert.match(page, new RegExp(`^# TYPE ${shown}(_total)? (counter|gauge)$`, "m"));
  }
  const others: [path: string, method: string, status: number][] = [
    ["/metrics?x=1", "GET", 200],
    ["/metrics", "HEAD", 200],
    ["/", "GET", 404],
    ["/metrics/", "GET", 404],
    ["/metrics", "POST", 405],
  ];
  for (const [path, method, status] of others) {
    const { status: found, body } = await fetch(new URL(path, url), { method });
    await body?.cancel();
    assert.deepEqual([path, method, found], [path, method, status]);
  }
});

Deno.test("the Prometheus page listens on ::1 if it is configured", async () => {
  using log = catchLog();
  await using telemetry = await open({ ...PAGE, prometheus: { host: "::1", port: 0 } });
  telemetry.start(() => HEALTH);
  const [, url = ""] = /^metrics are at (http:\/\/\[::1\]:\d+\/metrics)$/
    .exec(log.infos.join()) ?? [];
  assert.match(await (await fetch(url)).text(), /^tcpspan_session_captured_total/m);
});

Deno.test("the page's port is free again after the end, even if a client keeps its connection", async () => {
  using log = catchLog();
  const telemetry = await open(PAGE);
  telemetry.start(() => HEALTH);
  const port = Number(/:(\d+)\//.exec(log.infos.join())?.[1]);
  using _idle = await Deno.connect({ hostname: "127.0.0.1", port });
  await (await fetch(`http://127.0.0.1:${port}/metrics`)).text(); // kept alive
  const before = performance.now();
  await telemetry.close(1000);
  assert.ok(performance.now() - before < 500);
  Deno.listen({ hostname: "127.0.0.1", port }).close();
});

Deno.test("a port that is in use is a UsageError", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  assert(listener.addr.transport === "tcp");
  const { port } = listener.addr;
  await assert.rejects(
    open({ ...PAGE, prometheus: { host: "127.0.0.1", port } }),
    new UsageError(
      `telemetry.prometheus.listen: cannot use port ${port}: the port is in use: expected a free one`,
    ),
  );
});

Deno.test("settings that cannot work for metrics are reported with the exporter's name", async () => {
  await assert.rejects(
    open(toOtlp({ traces_endpoint: "http://127.0.0.1:1/traces" }, 1000)),
    (error) => error instanceof UsageError && error.message.startsWith("exporters.otlp/a: cannot "),
  );
});
