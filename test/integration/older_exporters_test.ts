/** Exporters of OpenTelemetry JS 1.x, as a config names them: what they send is whole. */
import { type HrTime, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { Resource } from "@opentelemetry/resources-1.x";
import { resourceFromAttributes } from "@opentelemetry/resources";
import assert from "node:assert/strict";
import { constants } from "node:os";
import { moduleExporter } from "../../exporters/module/module.ts";
import { moduleSettings } from "../../exporters/module/settings.ts";
import { toWholeMicroseconds } from "../../exporters/module/span.ts";
import { ROLE } from "../../src/session/record_layout.ts";
import { VERSION } from "../../src/version.ts";
import { type Jaeger, type JaegerSpan, startJaeger } from "../backends/jaeger.ts";
import { freePort } from "../e2e/nginx.ts";
import { makeContext, makeSpanMapper } from "../exporter_context.ts";
import { INITIAL_SEQUENCE_NUMBERS, makeBatch } from "../fixtures.ts";

const NEVER = new AbortController().signal;
const spans = makeSpanMapper();

const GONE = { owner_exe: "shop", owner_pid: 2 ** 22 + 1 }; // above any pid that Linux gives
const { local, peer } = INITIAL_SEQUENCE_NUMBERS;

/** Both ends of a session, of which the server's failed. */
const BATCH = makeBatch(GONE, {
  ...GONE,
  role: ROLE.PASSIVE,
  local_port: 443,
  peer_port: 40000,
  bytes_acked: 1000n,
  bytes_received: 1001n,
  snd_una: peer + 1001,
  rcv_nxt: local + 1002,
  last_state: "established",
  err: constants.errno.ECONNRESET,
});
const EXPECTED = Array.from(BATCH, (session) => toWholeMicroseconds(spans.toSpan(session)));
const [CLIENT, SERVER] = EXPECTED;
assert.equal(SERVER?.parentSpanContext?.spanId, CLIENT?.spanContext().spanId);
assert.equal(SERVER?.status.code, SpanStatusCode.ERROR);

/** An exporter, and where Jaeger shows what the span alone does not say. */
interface OlderExporter {
  readonly module: string;
  readonly export: string;
  readonly options: (jaeger: Jaeger) => object;
  /** Tags with the scope's name and version; Zipkin has no place for them. */
  readonly scope?: readonly [name: string, version: string];
  /** Attributes of the resource. */
  readonly resource: (span: JaegerSpan) => Readonly<Record<string, unknown>>;
  /** Microseconds: Jaeger's format has events to the millisecond. */
  readonly eventUs?: number;
}

const OTLP: Omit<OlderExporter, "module" | "options"> = {
  export: "OTLPTraceExporter",
  scope: ["otel.scope.name", "otel.scope.version"],
  resource: ({ process }) => process,
};

const EXPORTERS: readonly OlderExporter[] = [
  {
    ...OTLP,
    module: "npm:@opentelemetry/exporter-trace-otlp-http@0.57.2",
    options: ({ otlpHttp }) => ({ url: `${otlpHttp}/v1/traces` }),
  },
  {
    ...OTLP,
    module: "npm:@opentelemetry/exporter-trace-otlp-proto@0.57.2",
    options: ({ otlpHttp }) => ({ url: `${otlpHttp}/v1/traces` }),
  },
  {
    ...OTLP,
    module: "npm:@opentelemetry/exporter-trace-otlp-grpc@0.57.2",
    options: ({ otlpGrpc }) => ({ url: otlpGrpc }),
  },
  {
    module: "npm:@opentelemetry/exporter-zipkin@1.30.1",
    export: "ZipkinExporter",
    options: ({ zipkin }) => ({ url: zipkin }),
    resource: ({ tags, process }) => ({ ...tags, ...process }),
  },
  {
    module: "npm:@opentelemetry/exporter-jaeger@1.30.1",
    export: "JaegerExporter",
    options: ({ thrift }) => ({ endpoint: thrift }),
    scope: ["otel.library.name", "otel.library.version"],
    resource: ({ tags }) => tags,
    eventUs: 1000,
  },
];

function microseconds([seconds, ns]: HrTime): number {
  return seconds * 1e6 + ns / 1e3;
}

for (const { module, export: name, options, scope, resource, eventUs = 1 } of EXPORTERS) {
  Deno.test(`${module} delivers spans with parent, scope, resource, events and status`, async () => {
    await using jaeger = await startJaeger(freePort());
    const exporter = await moduleExporter.open(
      moduleSettings.parse({ module, export: name, options: options(jaeger) }),
      makeContext("older", "/", spans.toSpan),
    );
    assert.deepEqual(await exporter.export(BATCH, NEVER), { status: "success" });
    await exporter.shutdown();
    const received = await jaeger.waitForSpans("shop", EXPECTED.length);
    assert.equal(received.length, EXPECTED.length);
    for (const span of EXPECTED) {
      const { traceId, spanId } = span.spanContext();
      const got = received.find((one) => one.spanId === spanId) ?? assert.fail(`no ${span.name}`);
      assert.equal(got.traceId, traceId);
      assert.equal(got.parentSpanId, span.parentSpanContext?.spanId);
      assert.equal(got.name, span.name);
      assert.equal(got.startUs, microseconds(span.startTime));
      assert.equal(got.durationUs, microseconds(span.duration));
      assert.equal(got.tags["span.kind"], SpanKind[span.kind]?.toLowerCase());
      assert.equal(got.tags["error"] !== undefined, span.status.code === SpanStatusCode.ERROR);
      assert.equal(String(got.tags["tcpspan.tx.bytes"]), "1000");
      assert.deepEqual(
        got.events.map(({ timeUs, fields }) => [Math.floor(timeUs / eventUs), fields["event"]]),
        span.events.map((event) => [Math.floor(microseconds(event.time) / eventUs), event.name]),
      );
      assert.equal(resource(got)["host.name"], Deno.hostname());
      if (scope === undefined) continue;
      assert.deepEqual(scope.map((tag) => got.tags[tag]), ["tcpspan", VERSION]);
    }
  });
}

Deno.test("ConsoleSpanExporter of 1.x shows scope, parent and resource", async () => {
  const shown: { parentId?: string; instrumentationScope: object; resource: object }[] = [];
  const { dir } = console;
  console.dir = (info) => shown.push(info);
  try {
    const exporter = await moduleExporter.open(
      moduleSettings.parse({
        module: "npm:@opentelemetry/sdk-trace-base@1.30.1",
        export: "ConsoleSpanExporter",
      }),
      makeContext("older", "/", spans.toSpan),
    );
    assert.deepEqual(await exporter.export(BATCH, NEVER), { status: "success" });
    await exporter.shutdown();
  } finally {
    console.dir = dir;
  }
  assert.deepEqual(
    shown.map(({ parentId, instrumentationScope, resource }) => [
      parentId,
      instrumentationScope,
      resource,
    ]),
    EXPECTED.map(({ parentSpanContext, instrumentationScope, resource: { attributes } }) => [
      parentSpanContext?.spanId,
      instrumentationScope,
      { attributes },
    ]),
  );
});

Deno.test("resources merge with those of 1.x, in both directions; the other's attributes win", async () => {
  const own = CLIENT?.resource ?? assert.fail();
  const older = new Resource({ "service.name": "theirs", region: "eu" });
  const merged = own.merge(older as Parameters<typeof own.merge>[0]);
  assert.deepEqual(merged.attributes, { ...own.attributes, ...older.attributes });
  assert.deepEqual(older.merge(own).attributes, { ...older.attributes, ...own.attributes });
  assert.deepEqual(
    own.merge(resourceFromAttributes({ region: "us" })).attributes,
    { ...own.attributes, region: "us" },
  );
  assert.deepEqual(own.merge(null).attributes, own.attributes);
  assert.equal(own.asyncAttributesPending, false);
  await own.waitForAsyncAttributes?.();
});
