/** What the otlp exporter sends: the same as the official exporters. */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { OTLPTraceExporter as GrpcExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import { VERSION } from "../../src/version.ts";
import { makeBatch } from "../fixtures.ts";
import { exportOnce, openOtlp, toSpan } from "../open_otlp.ts";
import { GrpcReceiver } from "../otlp_grpc_receiver.ts";
import { decodeTraceRequest } from "../otlp_protobuf.ts";
import { OtlpReceiver } from "../otlp_receiver.ts";

const BATCH = makeBatch({ owner_pid: 2 }, { owner_pid: 3, peer_port: 8080 }, { owner_pid: 4 });
const SPANS = Array.from(BATCH, (session) => toSpan(session));

/** What a destination received. */
interface Received {
  readonly body: Uint8Array;
  readonly userAgent: string;
}

const PROTOCOLS: readonly {
  readonly protocol: string;
  readonly decode: (body: Uint8Array) => unknown;
  readonly official: (url: string) => SpanExporter;
}[] = [
  {
    protocol: "http/protobuf",
    decode: decodeTraceRequest,
    official: (url) => new ProtobufExporter({ url: `${url}/v1/traces` }),
  },
  {
    protocol: "http/json",
    decode: (body) => JSON.parse(new TextDecoder().decode(body)),
    official: (url) => new JsonExporter({ url: `${url}/v1/traces` }),
  },
  { protocol: "grpc", decode: decodeTraceRequest, official: (url) => new GrpcExporter({ url }) },
];

for (const { protocol, decode, official } of PROTOCOLS) {
  Deno.test(`otlp over ${protocol} sends the spans of the sessions`, async () => {
    const { body } = await receive(protocol, async (endpoint) => {
      const outcome = await exportOnce({ endpoint, protocol }, BATCH);
      deepStrictEqual(outcome, { status: "success" });
    });
    deepStrictEqual(withoutDefaults(decode(body)), expected(SPANS));
  });

  Deno.test(`otlp over ${protocol} sends what the official exporter sends`, async () => {
    const ours = await receive(
      protocol,
      (endpoint) => exportOnce({ endpoint, protocol }, BATCH),
    );
    const theirs = await receive(protocol, async (url) => {
      const exporter = official(url);
      const { promise, resolve } = Promise.withResolvers<{ error?: Error }>();
      exporter.export(SPANS, resolve);
      const { error } = await promise;
      await exporter.shutdown();
      if (error !== undefined) throw error;
    });
    deepStrictEqual(ours.body, theirs.body);
    const [version] = theirs.userAgent.split(" grpc-node");
    ok(ours.userAgent.startsWith("tcpspan/"), ours.userAgent);
    ok(ours.userAgent.includes(` ${version}`), `${ours.userAgent} lacks ${version}`);
  });

  for (const compression of protocol === "grpc" ? ["gzip"] : ["gzip", "zstd"]) {
    Deno.test(`otlp over ${protocol} compresses with ${compression}`, async () => {
      const plain = await receive(
        protocol,
        (endpoint) => exportOnce({ endpoint, protocol }, BATCH),
      );
      const compressed = await receive(
        protocol,
        (endpoint) => exportOnce({ endpoint, protocol, compression }, BATCH),
      );
      deepStrictEqual(compressed.body, plain.body);
    });
  }
}

Deno.test("otlp names a body's compression in its headers", async () => {
  for (const compression of ["gzip", "zstd"]) {
    await using receiver = await OtlpReceiver.start();
    await exportOnce({ endpoint: receiver.url(), compression }, BATCH);
    const { headers, body, sentLength } = receiver.request;
    strictEqual(headers["content-encoding"], compression);
    strictEqual(headers["content-length"], String(sentLength));
    ok(sentLength < body.length);
  }
});

Deno.test("otlp compresses over grpc", async () => {
  await using receiver = await GrpcReceiver.start();
  const batch = makeBatch(...Array.from({ length: 100 }, () => ({})));
  const sent = (compression: string) =>
    bytesThrough(
      receiver.port,
      (endpoint) => exportOnce({ endpoint, protocol: "grpc", compression }, batch),
    );
  const plain = await sent("none");
  const compressed = await sent("gzip");
  ok(compressed * 4 < plain, `${compressed} bytes of ${plain}`);
});

Deno.test("otlp sends the headers of the config", async () => {
  const headers = { Authorization: "Bearer s3cret", "x-scope-orgid": "tenant 1" };
  await using http = await OtlpReceiver.start();
  await exportOnce({ endpoint: http.url(), headers }, BATCH);
  const { request } = http;
  strictEqual(request.method, "POST");
  strictEqual(request.path, "/v1/traces");
  strictEqual(request.headers["content-type"], "application/x-protobuf");
  strictEqual(request.headers["content-encoding"], undefined);
  strictEqual(request.headers.authorization, "Bearer s3cret");
  strictEqual(request.headers["x-scope-orgid"], "tenant 1");

  await using grpc = await GrpcReceiver.start();
  await exportOnce({ endpoint: `127.0.0.1:${grpc.port}`, protocol: "grpc", headers }, BATCH);
  strictEqual(grpc.call.metadata["authorization"], "Bearer s3cret");
  strictEqual(grpc.call.metadata["x-scope-orgid"], "tenant 1");
});

Deno.test("otlp uses traces_endpoint unchanged, and its credentials", async () => {
  await using receiver = await OtlpReceiver.start();
  const url = new URL("/in/spans?tenant=a", receiver.url());
  url.username = "ann";
  url.password = "pä:ss";
  deepStrictEqual(await exportOnce({ traces_endpoint: url.href }, BATCH), { status: "success" });
  const { path, headers } = receiver.request;
  strictEqual(path, "/in/spans?tenant=a");
  const [scheme, credentials = ""] = headers.authorization?.split(" ") ?? [];
  strictEqual(scheme, "Basic");
  strictEqual(new TextDecoder().decode(Uint8Array.fromBase64(credentials)), "ann:pä:ss");
});

Deno.test({
  name: "otlp keeps its connections, and leaves none behind",
  sanitizeOps: true,
  sanitizeResources: true,
  fn: async () => {
    await using receiver = await OtlpReceiver.start();
    await using exporter = await openOtlp({ endpoint: receiver.url() });
    for (let i = 0; i < 3; i++) await exporter.export(BATCH);
    strictEqual(receiver.requests.length, 3);
    strictEqual(receiver.connections, 1);
  },
});

/** Runs `run` with a receiver of the protocol. @returns what it got in its only request */
async function receive(
  protocol: string,
  run: (endpoint: string) => Promise<unknown>,
): Promise<Received> {
  if (protocol === "grpc") {
    await using receiver = await GrpcReceiver.start();
    await run(`http://127.0.0.1:${receiver.port}`);
    const { body, metadata } = receiver.call;
    return { body, userAgent: String(metadata["user-agent"]) };
  }
  await using receiver = await OtlpReceiver.start();
  await run(receiver.url());
  const { body, headers } = receiver.request;
  return { body, userAgent: headers["user-agent"] ?? "" };
}

/** Runs `run` with the endpoint of a relay to `port`. @returns how many bytes went through it */
async function bytesThrough(
  port: number,
  run: (endpoint: string) => Promise<unknown>,
): Promise<number> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let count = 0;
  const relayed = (async () => {
    using client = await listener.accept();
    using server = await Deno.connect({ hostname: "127.0.0.1", port });
    const counter = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        count += chunk.length;
        controller.enqueue(chunk);
      },
    });
    await Promise.allSettled([
      client.readable.pipeThrough(counter).pipeTo(server.writable),
      server.readable.pipeTo(client.writable),
    ]);
  })();
  await run(`http://127.0.0.1:${listener.addr.port}`);
  await relayed;
  return count;
}

/** The request that the specification demands for spans, without what protobuf leaves out. */
function expected(spans: readonly ReadableSpan[]): unknown {
  return {
    resourceSpans: [...new Set(spans.map(({ resource }) => resource))].map((resource) => ({
      resource: { attributes: attributes(resource.attributes) },
      scopeSpans: [{
        scope: { name: "tcpspan", version: VERSION },
        spans: spans.filter((span) => span.resource === resource).map(expectedSpan),
        schemaUrl: "https://opentelemetry.io/schemas/1.45.0",
      }],
    })),
  };
}

function expectedSpan(span: ReadableSpan): unknown {
  const { traceId, spanId } = span.spanContext();
  const parent = span.parentSpanContext;
  return withoutDefaults({
    traceId,
    spanId,
    parentSpanId: parent?.spanId,
    name: span.name,
    kind: span.kind + 1, // OTLP has 0 for unspecified
    startTimeUnixNano: nanoseconds(span.startTime),
    endTimeUnixNano: nanoseconds(span.endTime),
    attributes: attributes(span.attributes),
    events: span.events.map(({ name, time }) => ({ name, timeUnixNano: nanoseconds(time) })),
    status: { code: span.status.code, message: span.status.message },
    flags: parent?.isRemote ? 0x303 : 0x103, // sampled, random; whether the parent is remote: known, and so
  });
}

function attributes(values: Readonly<Record<string, unknown>>): unknown {
  return Object.entries(values).map(([key, value]) => ({ key, value: anyValue(value) }));
}

function anyValue(value: unknown): unknown {
  if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValue) } };
  switch (typeof value) {
    case "string":
      return { stringValue: value };
    case "boolean":
      return { boolValue: value };
    default:
      return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  }
}

function nanoseconds([seconds, rest]: readonly [number, number]): string {
  return String(BigInt(seconds) * 1_000_000_000n + BigInt(rest));
}

/**
 * Leaves out members that have the default of their type, as protobuf may, but not what an AnyValue
 * holds. The official JSON serializer writes integers as numbers, which readers must take too.
 */
function withoutDefaults(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDefaults);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) => {
      if (name === "intValue") return [[name, String(member)]];
      if (name.endsWith("Value")) return [[name, withoutDefaults(member)]];
      const isDefault = member === undefined || member === 0 || member === "" ||
        (Array.isArray(member) && member.length === 0);
      return isDefault ? [] : [[name, withoutDefaults(member)]];
    }),
  );
}
