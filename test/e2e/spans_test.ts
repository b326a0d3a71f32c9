/** What a user of OpenTelemetry sees: spans in a real Jaeger, a real Collector, files and JSON. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { startCollector } from "../backends/collector.ts";
import { type Jaeger, type JaegerSpan, startJaeger } from "../backends/jaeger.ts";
import { type OtlpSpan, parseOtlpJsonLines } from "../backends/otlp_json.ts";
import { curl, type CurlReport, type Nginx, startNginx } from "./nginx.ts";
import { itemOf, only } from "./choose.ts";
import { until } from "./process.ts";
import { startTcpspan } from "./tcpspan.ts";

/** Between curl's times and its sockets': the other end's FIN, and the test's own clock. */
const MARGIN_MS = 100;

Deno.test("Jaeger shows curl's span with nginx's below it, right in name, kind, bytes and time", async () => {
  await using nginx = await startNginx();
  await using jaeger = await startJaeger();
  await using tool = await startTcpspan([], {
    config: `exporters: { otlp/jaeger: { endpoint: "${jaeger.otlpHttp}" } }`,
  });
  const reports = [
    await curl([nginx.url("/")]),
    await curl([nginx.url("/slow"), nginx.url("/")]),
    await curl([nginx.url("/close")]),
    await curl([nginx.url("/", "[::1]")]),
  ];
  const clients = await jaegerSpans(jaeger, "curl", nginx.port, reports.length);
  const servers = await jaegerSpans(jaeger, "nginx", nginx.port, reports.length);
  for (const report of reports) {
    const client = only(clients.filter(({ tags }) => tags["client.port"] === report.localPort));
    const server = only(servers.filter(({ tags }) => tags["client.port"] === report.localPort));
    const family = client.tags["network.type"];
    for (const span of [client, server]) {
      assert.equal(span.name, `tcp ${nginx.port}`);
      assert.equal(span.tags["server.port"], nginx.port);
      assert.equal(span.tags["network.transport"], "tcp");
      assert.equal(span.tags["network.type"], family);
      assert.equal(span.tags["error"], undefined);
      assert.deepEqual(span.warnings, []);
      assertTimes(span, report);
    }
    assert.equal(client.tags["span.kind"], "client");
    assert.equal(server.tags["span.kind"], "server");
    assert.equal(client.parentSpanId, undefined);
    assert.equal(server.parentSpanId, client.spanId);
    assert.equal(server.traceId, client.traceId);

    assert.equal(client.tags["tcpspan.tx.bytes"], report.sent);
    assert.equal(client.tags["tcpspan.rx.bytes"], report.received);
    assert.equal(server.tags["tcpspan.tx.bytes"], report.received);
    assert.equal(server.tags["tcpspan.rx.bytes"], report.sent);

    assert.equal(client.process["process.pid"], report.pid);
    assert.equal(client.process["process.executable.name"], "curl");
    assert.equal(server.process["process.pid"], report.worker);
    assert.equal(server.process["process.executable.path"], "/usr/sbin/nginx");
    assert.equal(server.process["host.name"], Deno.hostname());
  }
  const { localPort } = itemOf(reports, 2);
  const closedBy = (spans: readonly JaegerSpan[]) =>
    only(spans.filter(({ tags }) => tags["client.port"] === localPort)).tags["tcpspan.close.by"];
  // the ends agree on who was first
  assert.deepEqual([closedBy(clients), closedBy(servers)].sort(), ["local", "peer"]);

  assert.deepEqual(
    (await jaeger.services()).filter((service) => ["curl", "nginx"].includes(service)).sort(),
    ["curl", "nginx"],
  );
  const edges = await jaeger.dependencies();
  assert.equal(edges.get("curl -> nginx"), reports.length);
  assert.equal(edges.get("nginx -> curl"), undefined);

  const { status, stdout } = await tool.stop("SIGINT");
  assert.deepEqual([status, stdout], [0, ""]);
});

Deno.test("stdout, Jaeger, two Collectors and files show the same spans, over all protocols at once", async () => {
  const folder = await Deno.makeTempDir({ prefix: "tcpspan-files-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const [nginx, jaeger, grpc, json] = await Promise.all([
    startNginx(),
    startJaeger(),
    startCollector(),
    startCollector(),
  ]);
  for (const server of [nginx, jaeger, grpc, json]) stack.use(server);
  await using tool = await startTcpspan([], {
    config: `
exporters:
  stdout: { format: json }
  otlp/jaeger: { endpoint: "${jaeger.otlpHttp}", protocol: http/protobuf }
  otlp/collector: { endpoint: "${grpc.otlpGrpc}", protocol: grpc, compression: gzip }
  otlp/collector-json: { endpoint: "${json.otlpHttp}", protocol: http/json, compression: zstd }
  file: { path: ${join(folder, "spans.jsonl")} }
  file/gzip: { path: ${join(folder, "spans.jsonl.gz")}, compression: gzip }
  file/zstd: { path: ${join(folder, "spans.jsonl.zst")}, compression: zstd }
`,
  });
  await curl([nginx.url("/")]);
  await curl([nginx.url("/close", "[::1]")]);
  const COUNT = 4;
  const lines = await tool.stdout.waitForLines(COUNT, (line) => isOfPort(line, nginx.port));
  const spans = lines.map(({ text }) => text).map(parseJson).sort(bySpanId);
  assert.equal(new Set(spans.map((span) => span["span_id"])).size, COUNT);
  assert.equal(new Set(spans.map((span) => span["trace_id"])).size, COUNT / 2);

  const ofPort = (all: readonly OtlpSpan[]) =>
    all.map(flatten).filter((span) => span["server.port"] === nginx.port).sort(bySpanId);
  for (const collector of [grpc, json]) {
    const received = await until("the Collector's reception", async () => {
      const found = ofPort(await collector.spans());
      return found.length >= COUNT && found;
    });
    assert.deepEqual(received, spans);
  }
  const shown = [
    ...await jaegerSpans(jaeger, "curl", nginx.port, COUNT / 2),
    ...await jaegerSpans(jaeger, "nginx", nginx.port, COUNT / 2),
  ];
  assert.deepEqual(
    shown.map(({ traceId, spanId, parentSpanId }) => [spanId, traceId, parentSpanId]).sort(),
    spans.map((span) => [span["span_id"], span["trace_id"], span["parent_span_id"]]),
  );

  const { status, stderr } = await tool.stop("SIGTERM"); // files are whole when it has ended
  assert.equal(status, 0);
  assert.doesNotMatch(stderr, /cannot|again/);
  const read = (name: string) => Deno.readFileSync(join(folder, name));
  for (
    const [name, bytes] of [
      ["plain", read("spans.jsonl")],
      ["gzip", gunzipSync(read("spans.jsonl.gz"))],
      ["zstd", unzstd(join(folder, "spans.jsonl.zst"))],
    ] as const
  ) {
    const text = new TextDecoder().decode(bytes);
    assert.deepEqual(ofPort(parseOtlpJsonLines(text)), spans, name);
  }

  await using reader = await startCollector({ files: [join(folder, "spans.jsonl")] });
  const reread = await until("the reading of the file", async () => {
    const found = ofPort(await reader.spans());
    return found.length >= COUNT && found;
  });
  assert.deepEqual(reread, spans);
});

/** All frames of a file: Deno's own functions stop after the first. */
function unzstd(path: string): Uint8Array {
  const { success, stdout } = new Deno.Command("zstd", { args: ["-dc", path] }).outputSync();
  assert.ok(success);
  return stdout;
}

Deno.test("a SpanExporter of OpenTelemetry JS: Zipkin's, named in the config, sends to a real Jaeger", async () => {
  await using nginx = await startNginx();
  await using jaeger = await startJaeger();
  await using tool = await startTcpspan([], {
    config: `
exporters:
  stdout: { format: json }
  zipkin:
    module: npm:@opentelemetry/exporter-zipkin@3.1.0
    export: ZipkinExporter
    options: { url: "${jaeger.zipkin}" }
`,
  });
  await curl([nginx.url("/")]);
  const lines = await tool.stdout.waitForLines(2, (line) => isOfPort(line, nginx.port));
  const shown = await until("the spans in Jaeger", async () => {
    const traces = [...await jaeger.traces("curl"), ...await jaeger.traces("nginx")];
    const spans = traces.flatMap((trace) => trace.spans)
      .filter(({ name }) => name === `tcp ${nginx.port}`);
    return new Set(spans.map(({ spanId }) => spanId)).size === 2 && spans;
  });
  for (const span of lines.map(({ text }) => parseJson(text))) {
    const found = shown.find(({ spanId }) => spanId === span["span_id"]);
    assert.equal(found?.traceId, span["trace_id"]);
    assert.equal(found?.parentSpanId, span["parent_span_id"]);
    assert.equal(found?.service, span["service.name"]);
    assert.equal(found?.tags["span.kind"], String(span["kind"]).toLowerCase());
    assert.equal(String(found?.tags["tcpspan.tx.bytes"]), String(span["tcpspan.tx.bytes"]));
  }
  const { status, stderr } = await tool.stop("SIGINT");
  assert.equal(status, 0);
  assert.doesNotMatch(stderr, /cannot|again/);
});

/** The members of a JSON object in their order, with what each must be. */
const MEMBERS: readonly (readonly [key: string, valid: (value: unknown, is: Facts) => boolean])[] =
  [
    ["trace_id", (value) => isHex(value, 32)],
    ["span_id", (value) => isHex(value, 16)],
    ["parent_span_id", (value, { client }) => client ? value === undefined : isHex(value, 16)],
    ["name", (value, { nginx }) => value === `tcp ${nginx.port}`],
    ["kind", (value, { client }) => value === (client ? "CLIENT" : "SERVER")],
    ["status", (value) => value === "Unset"],
    ["start", isTime],
    ["end", isTime],
    ["events", isEventList],
    ["service.name", (value, { client }) => value === (client ? "curl" : "nginx")],
    ["service.instance.id", (value) => typeof value === "string" && /^[0-9a-f-]{36}$/.test(value)],
    ["process.pid", (value, { client, report }) => value === (client ? report.pid : report.worker)],
    ["process.executable.name", (value, { client }) => value === (client ? "curl" : "nginx")],
    // curl may have ended before tcpspan looked at it
    [
      "process.executable.path",
      (value, { client }) =>
        client ? value === undefined || isText(value) : value === "/usr/sbin/nginx",
    ],
    [
      "process.creation.time",
      (value) => typeof value === "string" && /^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/.test(value),
    ],
    ["process.owner", (value, { client }) => client ? value === "root" : isText(value)],
    ["host.name", (value) => value === Deno.hostname()],
    ["host.id", (value) => value === undefined || isText(value)],
    ["os.type", (value) => value === "linux"],
    ["network.transport", (value) => value === "tcp"],
    ["network.type", (value) => value === "ipv4"],
    ["network.local.address", (value) => value === "127.0.0.1"],
    [
      "network.local.port",
      (value, { client, nginx, report }) => value === (client ? report.localPort : nginx.port),
    ],
    ["network.peer.address", (value) => value === "127.0.0.1"],
    [
      "network.peer.port",
      (value, { client, nginx, report }) => value === (client ? nginx.port : report.localPort),
    ],
    ["client.address", (value) => value === "127.0.0.1"],
    ["client.port", (value, { report }) => value === report.localPort],
    ["server.address", (value) => value === "127.0.0.1"],
    ["server.port", (value, { nginx }) => value === nginx.port],
    ["thread.name", (value, { client }) => value === (client ? "curl" : "nginx")],
    [
      "tcpspan.tx.bytes",
      (value, { client, report }) => value === (client ? report.sent : report.received),
    ],
    [
      "tcpspan.rx.bytes",
      (value, { client, report }) => value === (client ? report.received : report.sent),
    ],
    ["tcpspan.tx.unacked_bytes", (value) => value === 0],
    ["tcpspan.rx.unread_bytes", (value) => value === 0],
    ["tcpspan.tx.segments", isCount],
    ["tcpspan.rx.segments", isCount],
    ["tcpspan.tx.retransmits", (value) => value === 0],
    ["tcpspan.rtt.smoothed_us", isCount],
    ["tcpspan.rtt.min_us", isCount],
    ["tcpspan.handshake_us", isCount],
    [
      "tcpspan.state.last",
      (value, { client }) => client ? isFinState(value) : value === "last_ack",
    ],
    ["tcpspan.close.by", (value, { client }) => value === (client ? "local" : "peer")],
    ["tcpspan.close.reason", (value) => value === "fin"],
    ["tcpspan.owner.source", (value, { client }) => value === (client ? "connect" : "recv")],
    ["tcpspan.start.observed", (value) => value === true],
    ["tcpspan.netns", (value) => value === ownNetworkNamespace()],
    ["tcpspan.session.cookie", isCount],
  ];

/** What is known of a session from elsewhere. */
interface Facts {
  /** Whether it is curl's end. */
  readonly client: boolean;
  readonly nginx: Nginx;
  readonly report: CurlReport;
}

Deno.test("json: one flat object a line, with these keys, types and values", async () => {
  await using nginx = await startNginx();
  await using tool = await startTcpspan([], { config: "exporters: { stdout: { format: json } }" });
  const report = await curl([nginx.url("/slow")]);
  const lines = await tool.stdout.waitForLines(2, (line) => isOfPort(line, nginx.port));
  const spans = lines.map(({ text }) => parseJson(text));
  const client = only(spans.filter((span) => span["kind"] === "CLIENT"));
  const server = only(spans.filter((span) => span["kind"] === "SERVER"));
  assert.equal(server["trace_id"], client["trace_id"]);
  assert.equal(server["parent_span_id"], client["span_id"]);
  for (const span of [client, server]) {
    const facts = { client: span === client, nginx, report };
    const optional = ["container.id", "k8s.pod.uid"]; // if the tests themselves run in one
    assert.deepEqual(
      Object.keys(span).filter((key) => !optional.includes(key)),
      MEMBERS.map(([key]) => key).filter((key) => span[key] !== undefined),
      "keys and their order",
    );
    for (const [key, valid] of MEMBERS) {
      assert.ok(
        valid(span[key], facts),
        `${facts.client ? "curl" : "nginx"}: ${key}: ${span[key]}`,
      );
    }
    const start = nanoseconds(span["start"]);
    const end = nanoseconds(span["end"]);
    const took = Number(end - start) / 1e6;
    assert.ok(took >= report.connectedMs - 5 && took <= report.ended - report.started + MARGIN_MS);
    const times = eventsOf(span).map(({ time }) => nanoseconds(time));
    assert.deepEqual([start, ...times, end], [start, ...times, end].toSorted(compare));
    assert.deepEqual(
      eventsOf(span).map(({ name }) => name).slice(0, 2),
      ["tcpspan.established", span === client ? "tcpspan.fin.sent" : "tcpspan.fin.received"],
    );
  }
});

Deno.test("json: a refused connection is an error that a person can read", async () => {
  await using tool = await startTcpspan([], { config: "exporters: { stdout: { format: json } }" });
  const { port } = await closedPort();
  const { localPort } = await curl([`http://127.0.0.1:${port}/`]);
  assert.equal(localPort, 0, "curl saw no connection");
  const [line] = await tool.stdout.waitForLines(1, (text) => isOfPort(text, port));
  const span = parseJson(line?.text ?? "");
  assert.equal(span["status"], "Error");
  assert.equal(span["error.type"], "connection_refused");
  assert.equal(span["status_message"], "the peer refused the connection");
  assert.equal(span["tcpspan.close.reason"], "refused");
  assert.equal(span["tcpspan.state.last"], "syn_sent");
  assert.equal(span["parent_span_id"], undefined);
  assert.equal(span["thread.name"], "curl");
  assert.equal(span["name"], `tcp ${port}`);
  assert.equal(span["events"], undefined);
});

async function closedPort(): Promise<{ port: number }> {
  await using nginx = await startNginx();
  return { port: nginx.port };
}

/** The spans of sessions with the server on `port`, as soon as there are `count` of them. */
function jaegerSpans(
  jaeger: Jaeger,
  service: string,
  port: number,
  count: number,
): Promise<JaegerSpan[]> {
  return until(`${count} spans of ${service} in Jaeger`, async () => {
    const traces = await jaeger.traces(service);
    const spans = traces.flatMap((trace) => trace.spans).filter((span) =>
      span.service === service && span.tags["server.port"] === port
    );
    return spans.length >= count && spans;
  });
}

function assertTimes({ startUs, durationUs }: JaegerSpan, report: CurlReport): void {
  const start = startUs / 1000;
  const duration = durationUs / 1000;
  const { started, ended, connectedMs } = report;
  assert.ok(start >= started - 1, `starts ${started - start} ms before curl`);
  assert.ok(
    start + duration <= ended + MARGIN_MS,
    `ends ${start + duration - ended} ms late`,
  );
  assert.ok(duration >= connectedMs - 5, `lasts ${duration} ms of ${connectedMs}`);
}

const KINDS = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT"];
const STATUSES = ["Unset", "Ok", "Error"];

/** An OTLP span in the form of the json format. */
function flatten(span: OtlpSpan): Record<string, unknown> {
  const { traceId, spanId, parentSpanId, name, kind, status, events } = span;
  const members = {
    trace_id: traceId,
    span_id: spanId,
    ...(parentSpanId === undefined ? {} : { parent_span_id: parentSpanId }),
    name,
    kind: KINDS[kind],
    status: STATUSES[status.code],
    ...(status.message === "" ? {} : { status_message: status.message }),
    start: rfc3339(span.startNs),
    end: rfc3339(span.endNs),
    ...(events.length === 0
      ? {}
      : { events: events.map(({ name, timeNs }) => ({ name, time: rfc3339(timeNs) })) }),
  };
  const attributes = Object.entries({ ...span.resource, ...span.attributes })
    .map(([key, value]) => [key, typeof value === "bigint" ? Number(value) : value]);
  return { ...members, ...Object.fromEntries(attributes) };
}

function rfc3339(ns: bigint): string {
  const seconds = new Date(Number(ns / 1_000_000_000n) * 1000).toISOString().slice(0, -5);
  return `${seconds}.${`${ns % 1_000_000_000n}`.padStart(9, "0")}Z`;
}

/** From RFC 3339 with nine decimals. */
function nanoseconds(time: unknown): bigint {
  assert.ok(isTime(time), `${time}`);
  const [seconds = "", fraction = ""] = `${time}`.slice(0, -1).split(".");
  return BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(fraction);
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function parseJson(text: string): Record<string, unknown> {
  return JSON.parse(text);
}

function bySpanId(a: Record<string, unknown>, b: Record<string, unknown>): number {
  return String(a["span_id"]) < String(b["span_id"]) ? -1 : 1;
}

function isOfPort(line: string, port: number): boolean {
  return line.startsWith("{") && line.includes(`"server.port":${port},`);
}

function isHex(value: unknown, digits: number): boolean {
  return typeof value === "string" && value.length === digits && /^[0-9a-f]+$/.test(value);
}

function isTime(value: unknown): boolean {
  return typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/.test(value);
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}

function isFinState(value: unknown): boolean {
  return value === "fin_wait2" || value === "fin_wait1" || value === "closing";
}

function isEventList(value: unknown): boolean {
  return Array.isArray(value) && value.length >= 2;
}

function eventsOf(span: Record<string, unknown>): { name: string; time: string }[] {
  return span["events"] as { name: string; time: string }[];
}

function ownNetworkNamespace(): number {
  return Number(/\d+/.exec(Deno.readLinkSync("/proc/self/ns/net"))?.[0]);
}
