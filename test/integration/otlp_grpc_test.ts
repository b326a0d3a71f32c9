/** How the otlp exporter handles what can happen over gRPC. */
import { deepStrictEqual, notStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Metadata, status } from "@grpc/grpc-js";
import type { ExportOutcome } from "../../src/exporter.ts";
import { makeBatch } from "../fixtures.ts";
import { startHttp2 } from "../http2_server.ts";
import { exportOnce, openOtlp } from "../open_otlp.ts";
import { accept, GrpcReceiver, type GrpcReply } from "../otlp_grpc_receiver.ts";
import { decodeTraceRequest, partialSuccess, rpcStatus } from "../otlp_protobuf.ts";
import { RawServer, unusedPort } from "../raw_server.ts";

const BATCH = makeBatch({ owner_pid: 2 }, { owner_pid: 3 });

const FINAL = [
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAUTHENTICATED",
] as const;

const ADVICE: ReadonlyMap<string, string> = new Map([
  ["PERMISSION_DENIED", "; check headers: these credentials may not send there"],
  ["UNAUTHENTICATED", "; set headers to the credentials that it wants"],
  ["UNIMPLEMENTED", "; check the port: no OTLP receiver takes this signal there"],
]);

const RETRYABLE = [
  "CANCELLED",
  "DEADLINE_EXCEEDED",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNAVAILABLE",
  "DATA_LOSS",
] as const;

/** `%` in a reason stands for the URL that was sent to. */
const ANSWERS: readonly {
  readonly name: string;
  readonly reply: GrpcReply;
  readonly outcome: ExportOutcome;
  readonly settings?: object;
}[] = [
  { name: "OK", reply: accept, outcome: { status: "success" } },
  {
    name: "OK with an empty partial success",
    reply: () => partialSuccess(0, ""),
    outcome: { status: "success" },
  },
  {
    name: "a partial success",
    reply: () => partialSuccess(1, "too old"),
    outcome: { status: "success", rejected: 1, message: "too old" },
  },
  {
    name: "an answer that cannot be read",
    reply: () => new Uint8Array([0xff]),
    outcome: { status: "success" },
  },
  ...FINAL.map((code) => ({
    name: code,
    reply: fail(code, "so it is"),
    outcome: {
      status: "failure",
      reason: `cannot send to %: gRPC ${code}: so it is${ADVICE.get(code) ?? ""}`,
    } as const,
  })),
  ...RETRYABLE.flatMap((code) => {
    const reason = `cannot send to %: gRPC ${code}: so it is`;
    return [
      {
        name: code,
        reply: fail(code, "so it is"),
        outcome: { status: "retryable", reason } as const,
      },
      {
        name: `${code} with a RetryInfo`,
        reply: fail(code, "so it is", rpcStatus("so it is", [7, 500_000_000])),
        outcome: { status: "retryable", reason, retryAfterMs: 7500 } as const,
      },
    ];
  }),
  {
    name: "RESOURCE_EXHAUSTED with a RetryInfo",
    reply: fail("RESOURCE_EXHAUSTED", "slow down", rpcStatus("slow down", [1, 1])),
    outcome: {
      status: "retryable",
      reason: "cannot send to %: gRPC RESOURCE_EXHAUSTED: slow down",
      retryAfterMs: 1001,
    },
  },
  {
    name: "RESOURCE_EXHAUSTED with a RetryInfo that names no time",
    reply: fail("RESOURCE_EXHAUSTED", "slow down", rpcStatus("slow down", [0, 0])),
    outcome: {
      status: "retryable",
      reason: "cannot send to %: gRPC RESOURCE_EXHAUSTED: slow down",
      retryAfterMs: 0,
    },
  },
  {
    name: "RESOURCE_EXHAUSTED with other details",
    reply: fail("RESOURCE_EXHAUSTED", "too large", rpcStatus("too large")),
    outcome: {
      status: "failure",
      reason: "cannot send to %: gRPC RESOURCE_EXHAUSTED: too large",
    },
  },
  {
    name: "UNAVAILABLE with details that cannot be read",
    reply: fail("UNAVAILABLE", "later", new Uint8Array([0x1a, 0xff, 0xff, 3])),
    outcome: { status: "retryable", reason: "cannot send to %: gRPC UNAVAILABLE: later" },
  },
  {
    name: "INVALID_ARGUMENT with a RetryInfo",
    reply: fail("INVALID_ARGUMENT", "no", rpcStatus("no", [7, 0])),
    outcome: { status: "failure", reason: "cannot send to %: gRPC INVALID_ARGUMENT: no" },
  },
  {
    name: "UNAUTHENTICATED that repeats our secrets",
    settings: { headers: { authorization: "Bearer s3cret" } },
    reply: fail("UNAUTHENTICATED", "no\n \x1b[31ms3cret"),
    outcome: {
      status: "failure",
      reason: "cannot send to %: gRPC UNAUTHENTICATED: no [31m***; " +
        "set headers to the credentials that it wants",
    },
  },
];

for (const { name, reply, settings, outcome } of ANSWERS) {
  Deno.test(`otlp over grpc handles ${name}`, async () => {
    await using receiver = await GrpcReceiver.start(reply);
    const endpoint = `http://127.0.0.1:${receiver.port}`;
    const found = await exportOnce({ endpoint, protocol: "grpc", ...settings }, BATCH);
    deepStrictEqual(withoutAddress(found, endpoint), outcome);
    strictEqual(receiver.calls.length, 1);
  });
}

/** Answers over HTTP/2 that are not gRPC. */
const PAGES: readonly {
  readonly name: string;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body?: string;
  /** grpc-status at the end. */
  readonly code?: number;
  readonly found: string;
}[] = [
  {
    name: "a web page",
    headers: { ":status": 200, "content-type": "text/html; charset=utf-8" },
    body: "<html>hello</html>",
    found: "text/html, not application/grpc",
  },
  {
    name: "JSON",
    headers: { ":status": 200, "content-type": "application/json" },
    body: "{}",
    found: "application/json, not application/grpc",
  },
  {
    name: "OTLP over HTTP",
    headers: { ":status": 200, "content-type": "application/x-protobuf" },
    found: "HTTP 200: application/x-protobuf, not application/grpc",
  },
  {
    name: "a page without content",
    headers: { ":status": 200, "content-type": "text/html" },
    found: "HTTP 200: text/html, not application/grpc",
  },
  {
    name: "gRPC-Web",
    headers: { ":status": 200, "content-type": "application/grpc-web+proto" },
    body: "\0\0\0\0\0",
    code: 0,
    found: "application/grpc-web+proto, not application/grpc",
  },
  {
    name: "204",
    headers: { ":status": 204 },
    found: "HTTP 204: an answer without a type, not application/grpc",
  },
  {
    name: "a page that says that all went well",
    headers: { ":status": 200, "content-type": "text/html" },
    body: "\0\0\0\0\0",
    code: 0,
    found: "text/html, not application/grpc",
  },
  {
    name: "a page of a proxy that does not reach the receiver",
    headers: { ":status": 502, "content-type": "text/html" },
    body: "<html>502 Bad Gateway</html>",
    found: "text/html, not application/grpc",
  },
];

for (const { name, headers, body, code, found } of PAGES) {
  Deno.test(`otlp over grpc does not take ${name} for a delivery, and tries again`, async () => {
    await using server = await startHttp2((stream) => {
      const isOver = body === undefined;
      stream.respond(headers, { endStream: isOver, waitForTrailers: code !== undefined });
      if (code !== undefined) {
        stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": code }));
      }
      if (!isOver) stream.end(body);
    });
    deepStrictEqual(await exportOnce({ endpoint: server.url, protocol: "grpc" }, BATCH), {
      status: "retryable",
      reason: `cannot send to ${server.url}: ${found}; is the port right?`,
    });
  });
}

for (
  const type of ["application/grpc", "application/grpc+proto", "Application/gRPC; x=y", undefined]
) {
  Deno.test(`otlp over grpc takes an answer of type ${type}`, async () => {
    await using server = await startHttp2((stream) => {
      stream.respond({ ":status": 200, ...(type === undefined ? {} : { "content-type": type }) }, {
        waitForTrailers: true,
      });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": 0 }));
      stream.end("\0\0\0\0\0");
    });
    const outcome = await exportOnce({ endpoint: server.url, protocol: "grpc" }, BATCH);
    deepStrictEqual(outcome, { status: "success" });
  });
}

Deno.test("otlp over grpc treats a refused connection as retryable", async () => {
  const port = unusedPort();
  for (const host of ["127.0.0.1", "localhost"]) {
    deepStrictEqual(await exportOnce({ endpoint: `${host}:${port}`, protocol: "grpc" }, BATCH), {
      status: "retryable",
      reason: `cannot send to http://${host}:${port}: connection refused`,
    });
  }
});

Deno.test("otlp over grpc treats an unknown host as retryable", async () => {
  const endpoint = "http://host.invalid:4317";
  deepStrictEqual(await exportOnce({ endpoint, protocol: "grpc" }, BATCH), {
    status: "retryable",
    reason: "cannot send to http://host.invalid:4317: no such host",
  });
});

Deno.test("otlp over grpc gives up on a server that never answers", async () => {
  await using silent = await GrpcReceiver.start(() => "never");
  await using mute = await RawServer.start(() => {});
  for (const endpoint of [`http://127.0.0.1:${silent.port}`, mute.url]) {
    const before = Date.now();
    deepStrictEqual(await exportOnce({ endpoint, protocol: "grpc", timeout: "300ms" }, BATCH), {
      status: "retryable",
      reason: `cannot send to ${endpoint}: no complete answer within 300ms`,
    });
    const elapsed = Date.now() - before;
    ok(elapsed < 1500, `took ${elapsed} ms`);
  }
});

Deno.test("otlp over grpc keeps its connection, unless there was no answer on it", async () => {
  let silent = false;
  await using receiver = await GrpcReceiver.start(() => silent ? "never" : new Uint8Array());
  await using exporter = await openOtlp({
    endpoint: `127.0.0.1:${receiver.port}`,
    protocol: "grpc",
    timeout: "300ms",
  });
  for (const silence of [false, false, true, false]) {
    silent = silence;
    strictEqual((await exporter.export(BATCH)).status, silence ? "retryable" : "success");
  }
  const [first, second, third, fourth] = receiver.calls.map(({ peer }) => peer);
  deepStrictEqual([second, third], [first, first]);
  notStrictEqual(fourth, first);
});

Deno.test("otlp over grpc shares no connection with another exporter", async () => {
  await using receiver = await GrpcReceiver.start();
  const settings = { endpoint: `127.0.0.1:${receiver.port}`, protocol: "grpc" };
  await using one = await openOtlp(settings);
  await using other = await openOtlp(settings);
  await one.export(BATCH);
  await other.export(BATCH);
  const [first, second] = receiver.calls.map(({ peer }) => peer);
  notStrictEqual(first, second);
});

Deno.test("otlp over grpc treats a server of another protocol as retryable", async () => {
  await using server = await RawServer.start((socket) =>
    void socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
  );
  const outcome = await exportOnce({ endpoint: server.url, protocol: "grpc" }, BATCH);
  strictEqual(outcome.status, "retryable");
  ok(outcome.reason.startsWith(`cannot send to ${server.url}: `), outcome.reason);
});

Deno.test("otlp over grpc stops when its signal is aborted", async () => {
  await using receiver = await GrpcReceiver.start(() => "never");
  const endpoint = `http://127.0.0.1:${receiver.port}`;
  for (const signal of [AbortSignal.timeout(100), AbortSignal.abort()]) {
    deepStrictEqual(await exportOnce({ endpoint, protocol: "grpc" }, BATCH, signal), {
      status: "retryable",
      reason: `cannot send to ${endpoint}: given up at shutdown`,
    });
  }
});

Deno.test("otlp over grpc reaches a server at once when the server is back", async () => {
  const first = await GrpcReceiver.start();
  const { port } = first;
  await using exporter = await openOtlp({ endpoint: `127.0.0.1:${port}`, protocol: "grpc" });
  strictEqual((await exporter.export(BATCH)).status, "success");
  await first[Symbol.asyncDispose]();
  strictEqual((await exporter.export(BATCH)).status, "retryable");
  strictEqual((await exporter.export(BATCH)).status, "retryable");
  await using _second = await GrpcReceiver.start(accept, undefined, port);
  const before = Date.now();
  strictEqual((await exporter.export(BATCH)).status, "success");
  const elapsed = Date.now() - before;
  ok(elapsed < 500, `took ${elapsed} ms`); // grpc-js waits 800 ms and more on its own
});

Deno.test("otlp sends a batch in parts if it is too large for gRPC servers", async () => {
  const count = 20_000; // about 8 MB
  await using receiver = await GrpcReceiver.start(); // takes up to 4 MiB, as gRPC servers do
  const batch = makeBatch(...Array.from({ length: count }, () => ({})));
  const endpoint = `127.0.0.1:${receiver.port}`;
  deepStrictEqual(await exportOnce({ endpoint, protocol: "grpc" }, batch), { status: "success" });
  ok(receiver.calls.length > 1);
  const spans = receiver.calls.map(({ body }) =>
    JSON.stringify(decodeTraceRequest(body)).split('"traceId"').length - 1
  );
  strictEqual(spans.reduce((sum, n) => sum + n, 0), count);
});

Deno.test("otlp over grpc refuses headers that gRPC does not allow", async () => {
  for (const headers of [{ "x~y": "s3cret" }, { "x-name": "sécret" }]) {
    await rejects(openOtlp({ protocol: "grpc", headers }), {
      name: "UsageError",
      message: `exporters.otlp/test: cannot use header "${Object.keys(headers)[0]}": ` +
        "gRPC does not allow its name or its value",
    });
  }
});

function fail(code: keyof typeof status, details: string, statusDetails?: Uint8Array): GrpcReply {
  const metadata = new Metadata();
  if (statusDetails !== undefined) {
    metadata.set("grpc-status-details-bin", Buffer.from(statusDetails));
  }
  return () => ({ code: status[code], details, metadata });
}

function withoutAddress(outcome: ExportOutcome, endpoint: string): unknown {
  return JSON.parse(JSON.stringify(outcome).replaceAll(endpoint, "%"));
}
