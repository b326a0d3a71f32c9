/** What the otlp exporter does if a destination takes less in one request than it sends. */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type AddressInfo, createServer } from "node:net";
import { Metadata, status } from "@grpc/grpc-js";
import { otlpExporter } from "../../exporters/otlp/otlp.ts";
import { otlpSettings } from "../../exporters/otlp/settings.ts";
import { newCounters } from "../../src/queue/counters.ts";
import { ExporterQueue } from "../../src/queue/queue.ts";
import type { SessionBatch } from "../../src/session/batch.ts";
import { startCollector } from "../backends/collector.ts";
import { freePort, startNginx } from "../e2e/nginx.ts";
import { until } from "../e2e/process.ts";
import { makeBatch, type RecordFields } from "../fixtures.ts";
import { exportOnce, openOtlp } from "../open_otlp.ts";
import { GrpcReceiver, type GrpcReply } from "../otlp_grpc_receiver.ts";
import { decodeTraceRequest, rpcStatus } from "../otlp_protobuf.ts";
import { accept, answer, OtlpReceiver, type Reply } from "../otlp_receiver.ts";

/** The members of a record that make session `index` another one: its peer's sequence numbers. */
function distinctFields(index: number): Partial<RecordFields> {
  return { rcv_nxt: 3_000_000 + index, copied_seq: 3_000_000 + index };
}

/** Different sessions. */
function distinct(count: number): SessionBatch {
  return makeBatch(...Array.from({ length: count }, (_, i) => distinctFields(i)));
}

/** Sends `batch` through a queue, as a run does. `start` is called once the first try has failed. */
async function deliver(
  settings: object,
  batch: SessionBatch,
  start?: () => Promise<unknown>,
): Promise<{ readonly counters: ExporterQueue["counters"]; readonly warnings: readonly string[] }> {
  const parsed = otlpSettings.parse({
    ...settings,
    retry_on_failure: { initial_interval: "100ms" },
  });
  const exporter = await openOtlp(settings);
  const warnings: string[] = [];
  const failed = Promise.withResolvers<void>();
  const queue = new ExporterQueue(
    "otlp",
    {
      export: (some, signal) => exporter.export(some, signal),
      shutdown: async () => await exporter[Symbol.asyncDispose](),
    },
    otlpExporter.queue(parsed),
    (message) => {
      warnings.push(message);
      failed.resolve();
    },
  );
  queue.start();
  queue.push(batch);
  if (start !== undefined) {
    await failed.promise;
    await start();
  }
  const { counters } = queue;
  await until("the end of all", () => counters.exported + counters.failed === batch.length, 60_000);
  await queue.close(10_000);
  return { counters, warnings };
}

/** The ids of the spans in a body of binary protobuf. */
function idsIn(body: Uint8Array): string[] {
  const text = JSON.stringify(decodeTraceRequest(body));
  return Array.from(text.matchAll(/"spanId":"(\w+)"/g), ([, id]) => id ?? "");
}

/** How many of `bodies` have more than `LIMIT` bytes; the others must have each of 100 spans once. */
function refusals(bodies: readonly Uint8Array[]): number {
  const ids = bodies.filter(({ length }) => length <= LIMIT).flatMap(idsIn);
  strictEqual(ids.length, 100);
  strictEqual(new Set(ids).size, 100);
  return bodies.filter(({ length }) => length > LIMIT).length;
}

const LIMIT = 30_000; // bytes; 100 sessions are about 99,000
const PROTOBUF = { "content-type": "application/x-protobuf" };

/** Refusals that are about the size, as real servers write them. */
const TOO_LARGE: readonly (readonly [name: string, refuse: Reply])[] = [
  ["413", answer(413)],
  [
    "413 with a page",
    answer(413, "<html>413 Request Entity Too Large", { "content-type": "text/html" }),
  ],
  ["413 of a receiver", answer(413, rpcStatus("no"), PROTOBUF)],
  ["413 with Retry-After", answer(413, "", { "retry-after": "1" })],
  ["the Collector's 400", answer(400, rpcStatus("http: request body too large"), PROTOBUF)],
];

for (const [name, refuse] of TOO_LARGE) {
  for (const compression of ["none", "gzip"]) {
    Deno.test(`otlp over HTTP sends less at once after ${name}, with compression ${compression}`, async () => {
      await using receiver = await OtlpReceiver.start((response, request) =>
        (request.body.length > LIMIT ? refuse : accept)(response, request)
      );
      await using exporter = await openOtlp({ endpoint: receiver.url(), compression });
      const bodies = () => receiver.requests.splice(0).map(({ body }) => body);
      deepStrictEqual(await exporter.export(distinct(100)), { status: "success" });
      strictEqual(refusals(bodies()), 2);
      deepStrictEqual(await exporter.export(distinct(100)), { status: "success" });
      strictEqual(refusals(bodies()), 0, "it remembers");
    });
  }
}

/** As {@linkcode TOO_LARGE}, over gRPC. */
const TOO_LARGE_GRPC: readonly (readonly [keyof typeof status, details: string])[] = [
  ["RESOURCE_EXHAUSTED", "grpc: received message larger than max (99000 vs. 30000)"],
  [
    "RESOURCE_EXHAUSTED",
    "grpc: received message after decompression larger than max (99000 vs. 30000)",
  ],
  ["RESOURCE_EXHAUSTED", "Received message larger than max (99000 vs 30000)"],
  ["RESOURCE_EXHAUSTED", "SERVER: Received message larger than max (99000 vs. 30000)"],
  ["RESOURCE_EXHAUSTED", "Received message that decompresses to a size larger than 30000"],
  ["RESOURCE_EXHAUSTED", "gRPC message exceeds maximum size 30000: 99000"],
  ["RESOURCE_EXHAUSTED", "Decompressed gRPC message exceeds maximum size 30000"],
  ["RESOURCE_EXHAUSTED", "Received message exceeds the maximum configured message size."],
  [
    "OUT_OF_RANGE",
    "Error, decoded message length too large: found 99000 bytes, the limit is: 30000 bytes",
  ],
  ["UNKNOWN", "Payload Too Large"],
  ["UNKNOWN", "Received HTTP status code 413"],
];

for (const [code, details] of TOO_LARGE_GRPC) {
  Deno.test(`otlp over grpc sends less at once after ${code}: ${details}`, async () => {
    await using receiver = await GrpcReceiver.start(({ body }) =>
      body.length > LIMIT ? { code: status[code], details } : new Uint8Array()
    );
    const endpoint = `http://127.0.0.1:${receiver.port}`;
    await using exporter = await openOtlp({ endpoint, protocol: "grpc" });
    const bodies = () => receiver.calls.splice(0).map(({ body }) => body);
    deepStrictEqual(await exporter.export(distinct(100)), { status: "success" });
    strictEqual(refusals(bodies()), 2);
    deepStrictEqual(await exporter.export(distinct(100)), { status: "success" });
    strictEqual(refusals(bodies()), 0, "it remembers");
  });
}

Deno.test("otlp over HTTP sends all at once again to what refuses it for another reason", async () => {
  for (
    const [code, text] of [[414, ""], [431, ""], [400, "span name too large"], [507, ""]] as const
  ) {
    await using receiver = await OtlpReceiver.start(answer(code, text));
    strictEqual((await exportOnce({ endpoint: receiver.url() }, distinct(100))).status, "failure");
    strictEqual(receiver.requests.length, 1, `${code} ${text}`);
  }
});

Deno.test("otlp over grpc sends all at once again to what refuses it for another reason", async () => {
  const texts = [
    "quota exceeded",
    "TRACE_TOO_LARGE: max size of trace (5000000) exceeded",
    "too large",
  ];
  const replies: GrpcReply[] = texts.map((details) => () => ({
    code: status.RESOURCE_EXHAUSTED,
    details,
  }));
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(rpcStatus("later", [1, 0])));
  replies.push(() => ({
    code: status.RESOURCE_EXHAUSTED,
    details: "message larger than max until the queue is shorter",
    metadata,
  }));
  for (const [index, reply] of replies.entries()) {
    await using receiver = await GrpcReceiver.start(reply);
    const endpoint = `http://127.0.0.1:${receiver.port}`;
    const outcome = await exportOnce({ endpoint, protocol: "grpc" }, distinct(100));
    strictEqual(outcome.status, index === texts.length ? "retryable" : "failure");
    strictEqual(receiver.calls.length, 1);
  }
});

Deno.test("otlp loses a session that is too large alone, and no other", async () => {
  const sessions = Array.from({ length: 100 }, (_, i) => distinctFields(i));
  for (const large of [0, 37, 99]) {
    const batch = makeBatch(
      ...sessions.map((fields, i) => i === large ? { ...fields, owner_comm: "giant" } : fields),
    );
    const isGiant = (body: Uint8Array) => new TextDecoder().decode(body).includes("giant");
    await using receiver = await OtlpReceiver.start((response, request) =>
      (isGiant(request.body) ? answer(413) : accept)(response, request)
    );
    const { counters, warnings } = await deliver({ endpoint: receiver.url() }, batch);
    deepStrictEqual(counters, {
      ...newCounters(),
      accepted: 100,
      exported: 99,
      failed: 1,
      rejected: 1,
    });
    deepStrictEqual(warnings, [
      `otlp: lost 1 session until now: rejected: cannot send to ${receiver.url()}/v1/traces: ` +
      "HTTP 413 Payload Too Large",
    ]);
    const taken = receiver.requests.map(({ body }) => body).filter((body) => !isGiant(body))
      .flatMap(idsIn);
    strictEqual(taken.length, 99);
    strictEqual(new Set(taken).size, 99);
  }
});

Deno.test("otlp says of a batch in parts why some were lost, whatever else was said", async () => {
  const said = (partialSuccess: object) =>
    answer(200, JSON.stringify({ partialSuccess }), { "content-type": "application/json" });
  const replies = [said({ errorMessage: "please upgrade" }), answer(400, "bad span"), said({})];
  await using receiver = await OtlpReceiver.start((response, request) => {
    const reply = request.body.length > LIMIT ? answer(413) : replies.shift() ?? said({});
    reply(response, request);
  });
  await using exporter = await openOtlp({ endpoint: receiver.url(), protocol: "http/json" });
  const outcome = await exporter.export(distinct(100));
  ok(outcome.status === "success" && (outcome.rejected ?? 0) > 0);
  strictEqual(
    outcome.message,
    `cannot send to ${receiver.url()}/v1/traces: HTTP 400 Bad Request: bad span`,
  );
});

Deno.test("otlp loses everything if nothing is small enough, and says why", async () => {
  let isSmall = false;
  await using receiver = await OtlpReceiver.start((response, request) =>
    (isSmall ? accept : answer(413))(response, request)
  );
  await using exporter = await openOtlp({ endpoint: receiver.url() });
  deepStrictEqual(await exporter.export(distinct(4)), {
    status: "failure",
    reason: `cannot send to ${receiver.url()}/v1/traces: HTTP 413 Payload Too Large`,
  });
  strictEqual(receiver.requests.splice(0).length, 1 + 4); // two have more than half the bytes
  isSmall = true;
  deepStrictEqual(await exporter.export(distinct(4)), { status: "success" });
  strictEqual(receiver.requests.length, 1, "nothing went through that it would remember");
});

Deno.test("otlp sends no part twice if the destination is busy in the middle", async () => {
  let taken = 0;
  let isBusy = false;
  await using receiver = await OtlpReceiver.start((response, request) => {
    if (request.body.length > LIMIT) return answer(413)(response, request);
    isBusy = !isBusy;
    if (isBusy) return answer(503)(response, request);
    taken += idsIn(request.body).length;
    accept(response, request);
  });
  const { counters } = await deliver({ endpoint: receiver.url() }, distinct(100));
  const { retries } = counters;
  ok(retries > 1);
  deepStrictEqual(counters, { ...newCounters(), accepted: 100, exported: 100, retries });
  strictEqual(taken, 100);
});

for (const protocol of ["http/protobuf", "grpc"]) {
  Deno.test(`otlp over ${protocol} counts at the end the parts that were taken before`, async () => {
    let taken = 0;
    const isLate = (body: Uint8Array) => {
      const ids = idsIn(body);
      if (taken > 50) return true;
      taken += ids.length;
      return false;
    };
    await using http = await OtlpReceiver.start((response, request) => {
      if (request.body.length > LIMIT) answer(413)(response, request);
      else if (!isLate(request.body)) accept(response, request);
    });
    const details = "grpc: received message larger than max (99000 vs. 30000)";
    await using grpc = await GrpcReceiver.start(({ body }) => {
      if (body.length > LIMIT) return { code: status.RESOURCE_EXHAUSTED, details };
      return isLate(body) ? "never" : new Uint8Array();
    });
    const endpoint = protocol === "grpc" ? `http://127.0.0.1:${grpc.port}` : http.url();
    await using exporter = await openOtlp({ endpoint, protocol });
    const settings = otlpExporter.queue(otlpSettings.parse({}));
    const queue = new ExporterQueue(
      "otlp",
      {
        export: (some, signal) => exporter.export(some, signal),
        shutdown: () => Promise.resolve(),
      },
      settings,
      () => {},
    );
    queue.start();
    queue.push(distinct(100));
    await until("most of the parts", () => taken > 50);
    await queue.close(100);
    deepStrictEqual(queue.counters, {
      ...newCounters(),
      accepted: 100,
      exported: taken,
      failed: 100 - taken,
    });
  });
}

/** Takes requests of at most `LIMIT` bytes; answers others when it has their head, and hangs up. */
async function startHasty(): Promise<
  { readonly url: string; readonly ids: string[] } & AsyncDisposable
> {
  const ids: string[] = [];
  const server = createServer((socket) => {
    let received = Buffer.alloc(0);
    socket.on("error", () => {}).on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const begin = received.indexOf("\r\n\r\n") + 4;
      const [, length] = /content-length: (\d+)/i.exec(received.subarray(0, begin).toString()) ??
        [];
      if (begin < 4 || length === undefined) return;
      if (Number(length) > LIMIT) {
        socket.pause().write("HTTP/1.1 413 Large\r\nContent-Length: 5\r\n\r\nlarge", () => {
          socket.destroy(); // what is still coming is answered with a reset
        });
      } else if (received.length === begin + Number(length)) {
        ids.push(...idsIn(received.subarray(begin)));
        received = Buffer.alloc(0);
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ids,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

Deno.test("otlp over HTTP reads the 413 of a server that hangs up before it has the body", async () => {
  await using server = await startHasty();
  const { counters, warnings } = await deliver({ endpoint: server.url }, distinct(4096));
  deepStrictEqual(warnings, []);
  deepStrictEqual(counters, { ...newCounters(), accepted: 4096, exported: 4096 });
  strictEqual(server.ids.length, 4096);
  strictEqual(new Set(server.ids).size, 4096);
});

const COUNT = 20_000;
const FEW = 6000; // two batches, of more than 1 MiB each in any protocol

for (const protocol of ["http/json", "http/protobuf", "grpc"]) {
  for (const isUp of [true, false]) {
    Deno.test(`otlp over ${protocol} sends ${COUNT} sessions through an nginx that takes 1 MiB${isUp ? "" : ", and was down"}`, async () => {
      await using collector = await startCollector();
      const port = freePort();
      const proxyTo = protocol === "grpc"
        ? collector.otlpGrpc.replace("http:", "grpc:")
        : collector.otlpHttp;
      await using stack = new AsyncDisposableStack();
      const start = async () => void stack.use(await startNginx({ proxyTo, port }));
      if (isUp) await start();
      const { counters, warnings } = await deliver(
        { endpoint: `http://127.0.0.1:${port}`, protocol },
        distinct(COUNT),
        isUp ? undefined : start,
      );
      const { retries } = counters;
      deepStrictEqual(counters, { ...newCounters(), accepted: COUNT, exported: COUNT, retries });
      if (isUp) deepStrictEqual(warnings, []);
      const spans = await collector.waitForSpans(COUNT);
      strictEqual(spans.length, COUNT);
      strictEqual(new Set(spans.map(({ spanId }) => spanId)).size, COUNT);
    });
  }

  Deno.test(`otlp over ${protocol} sends ${FEW} sessions to a Collector that takes 1 MiB`, async () => {
    await using collector = await startCollector({ limitMiB: 1 });
    const endpoint = protocol === "grpc" ? collector.otlpGrpc : collector.otlpHttp;
    for (const compression of ["none", "gzip"]) {
      const { counters, warnings } = await deliver(
        { endpoint, protocol, compression },
        distinct(FEW),
      );
      deepStrictEqual(counters, { ...newCounters(), accepted: FEW, exported: FEW });
      deepStrictEqual(warnings, []);
    }
    const spans = await collector.waitForSpans(2 * FEW);
    strictEqual(spans.length, 2 * FEW);
    strictEqual(new Set(spans.map(({ spanId }) => spanId)).size, FEW);
  });
}
