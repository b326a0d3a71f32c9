/** How the otlp exporter handles what can happen over HTTP. */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { Socket } from "node:net";
import { parseRetryAfter } from "../../exporters/otlp/http_answer.ts";
import type { ExportOutcome } from "../../src/exporter.ts";
import { makeBatch } from "../fixtures.ts";
import { exportOnce, openOtlp } from "../open_otlp.ts";
import { answer, OtlpReceiver, type Reply } from "../otlp_receiver.ts";
import { partialSuccess, rpcStatus } from "../otlp_protobuf.ts";
import { RawServer, unusedPort } from "../raw_server.ts";

const BATCH = makeBatch({ owner_pid: 2 }, { owner_pid: 3 }, { owner_pid: 4 });
const JSON_TYPE = { "content-type": "application/json; charset=utf-8" };
const PROTOBUF_TYPE = { "content-type": "application/x-protobuf" };

/** `%` in a reason stands for the URL that was sent to, `@` for its host and port. */
const ANSWERS: readonly {
  readonly name: string;
  readonly reply: Reply;
  readonly outcome: ExportOutcome;
  readonly settings?: object;
}[] = [
  { name: "200", reply: answer(200), outcome: { status: "success" } },
  { name: "202", reply: answer(202), outcome: { status: "success" } },
  { name: "204", reply: answer(204), outcome: { status: "success" } },
  {
    name: "200 of its type, in upper case and with a parameter",
    reply: answer(200, "", { "content-type": "Application/X-Protobuf; Proto=x" }),
    outcome: { status: "success" },
  },
  ...[
    ["a web page", 200, "<html>", "text/html; charset=utf-8", "OK: text/html"],
    ["a web page without content", 200, "", "TEXT/HTML", "OK: text/html"],
    ["a created thing", 201, "<a/>", "application/xml", "Created: application/xml"],
    ["a text", 202, "thanks", "text/plain", "Accepted: text/plain"],
    ["a text without a type", 202, "thanks", undefined, "Accepted: an answer without a type"],
    ["bytes", 200, "\0", "application/octet-stream", "OK: application/octet-stream"],
    ["gRPC", 200, "", "application/grpc", "OK: application/grpc"],
  ].map(([name, status, body, type, found]) => ({
    name: `success with ${name}`,
    reply: answer(
      Number(status),
      String(body),
      type === undefined ? {} : { "content-type": `${type}` },
    ),
    outcome: {
      status: "retryable",
      reason: `cannot send to %: HTTP ${status} ${found}, not application/x-protobuf; ` +
        "is the port right?",
    } as const,
  })),
  {
    name: "JSON to protobuf",
    reply: answer(200, "{}", JSON_TYPE),
    outcome: {
      status: "failure",
      reason: "cannot send to %: HTTP 200 OK: application/json, not application/x-protobuf; " +
        "is the port right, or protocol http/json?",
    },
  },
  {
    name: "JSON that is not OTLP's to protobuf",
    reply: answer(200, '{"tagline":"You Know, for Search"}', JSON_TYPE),
    outcome: {
      status: "retryable",
      reason: "cannot send to %: HTTP 200 OK: application/json, not application/x-protobuf; " +
        "is the port right?",
    },
  },
  {
    name: "protobuf to JSON",
    settings: { protocol: "http/json" },
    reply: answer(200, "", PROTOBUF_TYPE),
    outcome: {
      status: "failure",
      reason: "cannot send to %: HTTP 200 OK: application/x-protobuf, not application/json; " +
        "is the port right, or protocol http/protobuf?",
    },
  },
  {
    name: "200 with a body that is not protobuf",
    reply: answer(200, "\xff\xff", PROTOBUF_TYPE),
    outcome: { status: "success" },
  },
  {
    name: "200 with an empty partial success",
    reply: answer(200, new Uint8Array([0x0a, 0]), PROTOBUF_TYPE),
    outcome: { status: "success" },
  },
  {
    name: "partial success",
    reply: answer(200, partialSuccess(2, "two too old"), PROTOBUF_TYPE),
    outcome: { status: "success", rejected: 2, message: "two too old" },
  },
  {
    name: "partial success of more than was sent",
    reply: answer(200, partialSuccess(100, ""), PROTOBUF_TYPE),
    outcome: { status: "success", rejected: 3 },
  },
  {
    name: "a warning",
    reply: answer(200, partialSuccess(0, "soon\nno more"), PROTOBUF_TYPE),
    outcome: { status: "success", message: "soon no more" },
  },
  {
    name: "partial success in JSON",
    settings: { protocol: "http/json" },
    reply: answer(
      200,
      JSON.stringify({ partialSuccess: { rejectedSpans: "1", errorMessage: "no" } }),
      JSON_TYPE,
    ),
    outcome: { status: "success", rejected: 1, message: "no" },
  },
  {
    name: "JSON that is not a response",
    settings: { protocol: "http/json" },
    reply: answer(200, '{"partialSuccess": [null', JSON_TYPE),
    outcome: { status: "success" },
  },
  {
    name: "a null in JSON",
    settings: { protocol: "http/json" },
    reply: answer(200, "null", JSON_TYPE),
    outcome: { status: "success" },
  },
  ...[
    [400, "Bad Request"],
    [401, "Unauthorized; set headers to the credentials that it wants"],
    [403, "Forbidden; check headers: these credentials may not send there"],
    [
      404,
      "Not Found; check the port and the path: /v1/traces is added to endpoint, not to traces_endpoint",
    ],
    [405, "Method Not Allowed; check the port and the path: this is no OTLP receiver"],
    [408, "Request Timeout"],
    [409, "Conflict"],
    [411, "Length Required"],
    [415, "Unsupported Media Type; it does not take application/x-protobuf: set another protocol"],
    [422, "Unprocessable Entity"],
    [500, "Internal Server Error"],
    [501, "Not Implemented"],
    [505, "HTTP Version Not Supported"],
  ].map(([status, text]) => ({
    name: String(status),
    reply: answer(Number(status), ""),
    outcome: { status: "failure", reason: `cannot send to %: HTTP ${status} ${text}` } as const,
  })),
  ...[
    [429, "Too Many Requests"],
    [502, "Bad Gateway"],
    [503, "Service Unavailable"],
    [504, "Gateway Timeout"],
  ].flatMap(([status, text]) => {
    const reason = `cannot send to %: HTTP ${status} ${text}`;
    return [
      {
        name: String(status),
        reply: answer(Number(status)),
        outcome: { status: "retryable", reason } as const,
      },
      {
        name: `${status} with Retry-After`,
        reply: answer(Number(status), "", { "retry-after": "7" }),
        outcome: { status: "retryable", reason, retryAfterMs: 7000 } as const,
      },
    ];
  }),
  {
    name: "503 with a Retry-After in the past",
    reply: answer(503, "", { "retry-after": "Sun, 06 Nov 1994 08:49:37 GMT" }),
    outcome: {
      status: "retryable",
      reason: "cannot send to %: HTTP 503 Service Unavailable",
      retryAfterMs: 0,
    },
  },
  {
    name: "503 with a Retry-After by the server's clock, which is years off",
    reply: answer(503, "", {
      "date": "Sun, 06 Nov 1994 08:49:00 GMT",
      "retry-after": "Sun, 06 Nov 1994 08:49:37 GMT",
    }),
    outcome: {
      status: "retryable",
      reason: "cannot send to %: HTTP 503 Service Unavailable",
      retryAfterMs: 37_000,
    },
  },
  {
    name: "400 with Retry-After",
    reply: answer(400, "", { "retry-after": "7" }),
    outcome: { status: "failure", reason: "cannot send to %: HTTP 400 Bad Request" },
  },
  {
    name: "400 with a text",
    reply: answer(400, "\x1b[31mno\r\n\u202e such\0 tenant\u2028"),
    outcome: {
      status: "failure",
      reason: "cannot send to %: HTTP 400 Bad Request: [31mno such tenant",
    },
  },
  {
    name: "400 with a long text",
    reply: answer(400, "\u{1f94a}".repeat(300)),
    outcome: {
      status: "failure",
      reason: `cannot send to %: HTTP 400 Bad Request: ${"\u{1f94a}".repeat(200)}`,
    },
  },
  {
    name: "400 with a google.rpc.Status",
    reply: answer(400, rpcStatus("bad spans"), PROTOBUF_TYPE),
    outcome: { status: "failure", reason: "cannot send to %: HTTP 400 Bad Request: bad spans" },
  },
  {
    name: "400 with a google.rpc.Status in JSON",
    reply: answer(400, '{"code":3,"message":"bad spans"}', JSON_TYPE),
    outcome: { status: "failure", reason: "cannot send to %: HTTP 400 Bad Request: bad spans" },
  },
  {
    name: "400 with other JSON",
    reply: answer(400, '{"error":"bad spans"}', JSON_TYPE),
    outcome: {
      status: "failure",
      reason: 'cannot send to %: HTTP 400 Bad Request: {"error":"bad spans"}',
    },
  },
  {
    name: "400 with its own reason phrase",
    reply: (response) => void response.writeHead(400, "Nope").end(),
    outcome: { status: "failure", reason: "cannot send to %: HTTP 400 Nope" },
  },
  {
    name: "401 that repeats our secrets",
    settings: { headers: { authorization: "Bearer s3cret", "x-key": "abc/def" } },
    reply: answer(401, "I know no Bearer s3cret, no s3cret and no abc/def"),
    outcome: {
      status: "failure",
      reason: "cannot send to %: HTTP 401 Unauthorized: I know no ***, no *** and no ***; " +
        "set headers to the credentials that it wants",
    },
  },
  {
    name: "401 with words and numbers that our headers also have",
    settings: { headers: { "x-scope": "team one of 1000", "x-list": "tenant=blue" } },
    reply: answer(401, "tenant blue has more than 10000 for team one"),
    outcome: {
      status: "failure",
      reason: "cannot send to %: HTTP 401 Unauthorized: " +
        "tenant blue has more than 10000 for team one; set headers to the credentials that it wants",
    },
  },
  {
    name: "404 with a page",
    reply: answer(404, "<html>\n<title>404 Not Found</title><h1>Not Found</h1>", {
      "content-type": "text/html",
    }),
    outcome: {
      status: "failure",
      reason: "cannot send to %: HTTP 404 Not Found; check the port and the path: " +
        "/v1/traces is added to endpoint, not to traces_endpoint",
    },
  },
  ...[
    "Client sent an HTTP request to an HTTPS server.\n", // Go
    "<title>400 The plain HTTP request was sent to HTTPS port</title>", // nginx
    "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />", // Apache
  ].map((text) => ({
    name: `400 with ${text}`,
    reply: answer(400, text),
    outcome: {
      status: "retryable",
      reason: "cannot send to %: HTTP 400: the server speaks TLS there: " +
        "write https:// instead of http://",
    } as const,
  })),
  {
    name: "400 of nginx for want of a certificate",
    reply: answer(400, "<title>400 No required SSL certificate was sent</title>"),
    outcome: {
      status: "retryable",
      reason: "cannot send to %: HTTP 400: the server wants a client certificate: " +
        "set tls.cert_file and tls.key_file",
    },
  },
  {
    name: "a redirect",
    reply: answer(307, "", { location: "https://user:pw@other.example:8443/x?token=1" }),
    outcome: {
      status: "failure",
      reason: "cannot send to %: HTTP 307 Temporary Redirect: " +
        "a redirect to other.example:8443, which is not followed",
    },
  },
  {
    name: "a redirect on the same host",
    reply: answer(302, "", { location: "/login?token=1" }),
    outcome: {
      status: "failure",
      reason: "cannot send to %: HTTP 302 Found: a redirect to @, which is not followed",
    },
  },
  {
    name: "a redirect to nowhere",
    reply: answer(302, ""),
    outcome: {
      status: "failure",
      reason: "cannot send to %: HTTP 302 Found: a redirect to nowhere",
    },
  },
];

for (const { name, reply, settings, outcome } of ANSWERS) {
  Deno.test(`otlp over HTTP handles ${name}`, async () => {
    await using receiver = await OtlpReceiver.start(reply);
    const found = await exportOnce({ endpoint: receiver.url(), ...settings }, BATCH);
    deepStrictEqual(withoutAddress(found, receiver.url()), outcome);
    strictEqual(receiver.requests.length, 1);
  });
}

Deno.test("otlp over HTTP keeps credentials and query out of reasons", async () => {
  await using receiver = await OtlpReceiver.start(answer(400, "ann s3cret t0ken"));
  const { host } = new URL(receiver.url());
  const found = await exportOnce(
    { traces_endpoint: `http://ann:s3cret@${host}/x?key=t0ken` },
    BATCH,
  );
  deepStrictEqual(found, {
    status: "failure",
    reason: `cannot send to http://${host}/x: HTTP 400 Bad Request: ann *** ***`,
  });
});

Deno.test("parseRetryAfter() reads seconds and dates", () => {
  const now = Date.UTC(1994, 10, 6, 8, 49, 0);
  const cases: readonly [string | undefined, number | undefined][] = [
    [undefined, undefined],
    ["0", 0],
    ["120", 120_000],
    [" 5 ", 5000],
    ["Sun, 06 Nov 1994 08:49:37 GMT", 37_000],
    ["Sun, 06 Nov 1994 08:48:37 GMT", 0],
    ["99999999999", 2 ** 31 - 1],
    ["soon", undefined],
    ["", undefined],
  ];
  for (const [value, expected] of cases) {
    strictEqual(parseRetryAfter(value, now), expected, `${value}`);
  }
});

Deno.test("otlp over HTTP treats a refused connection as retryable", async () => {
  const port = unusedPort();
  for (const host of ["127.0.0.1", "localhost"]) {
    deepStrictEqual(await exportOnce({ endpoint: `http://${host}:${port}` }, BATCH), {
      status: "retryable",
      reason: `cannot send to http://${host}:${port}/v1/traces: connection refused`,
    });
  }
});

Deno.test("otlp over HTTP treats an unknown host as retryable", async () => {
  deepStrictEqual(await exportOnce({ endpoint: "http://host.invalid:4318" }, BATCH), {
    status: "retryable",
    reason: "cannot send to http://host.invalid:4318/v1/traces: no such host",
  });
});

Deno.test("otlp over HTTP gives up on a server that never answers", async () => {
  await using server = await RawServer.start(() => {});
  await isBounded(server, "no complete answer within 300ms");
});

Deno.test("otlp over HTTP gives up on a server that does not read", async () => {
  await using server = await RawServer.start((socket) => void socket.pause());
  const large = makeBatch(...Array.from({ length: 12_000 }, () => ({})));
  await isBounded(server, "no complete answer within 300ms", large, 3000);
});

Deno.test("otlp over HTTP gives up on a trickling status line", async () => {
  await using server = await RawServer.start((socket) => trickle(socket, "HTTP/1.1 200 OK and so"));
  await isBounded(server, "no complete answer within 300ms");
});

Deno.test("otlp over HTTP gives up on a trickling body", async () => {
  await using server = await RawServer.start((socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    trickle(socket, "x".repeat(1000));
  });
  await isBounded(server, "no complete answer within 300ms");
});

Deno.test("otlp over HTTP treats a connection that closes early as retryable", async () => {
  const replies: readonly [string, RegExp][] = [
    ["", /connection (reset|closed)/],
    ["HTTP/1.1 200 OK\r\nContent-Le", /connection (reset|closed)|socket hang up/],
    ["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", /connection (reset|closed)/],
  ];
  for (const [reply, reason] of replies) {
    await using server = await RawServer.start((socket) => void socket.end(reply));
    const outcome = await exportOnce({ endpoint: server.url }, BATCH);
    strictEqual(outcome.status, "retryable", reply);
    ok(reason.test(outcome.reason), `${JSON.stringify(reply)}: ${outcome.reason}`);
  }
});

Deno.test("otlp over HTTP treats an answer that is not HTTP as retryable", async () => {
  await using server = await RawServer.start((socket) => void socket.end("220 mail ESMTP\r\n"));
  const outcome = await exportOnce({ endpoint: server.url }, BATCH);
  strictEqual(outcome.status, "retryable");
  ok(outcome.reason.startsWith(`cannot send to ${server.url}/v1/traces: `), outcome.reason);
});

Deno.test("otlp over HTTP reads no more than 64 KiB of an endless answer", async () => {
  for (const status of [200, 400]) {
    let written = 0;
    await using receiver = await OtlpReceiver.start((response) => {
      response.writeHead(status);
      const more = () => {
        while (!response.destroyed && response.write("y".repeat(65536))) written += 65536;
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    });
    const outcome = await exportOnce({ endpoint: receiver.url(), timeout: "30s" }, BATCH);
    deepStrictEqual(
      withoutAddress(outcome, receiver.url()),
      status === 200
        ? {
          status: "retryable",
          reason: "cannot send to %: HTTP 200 OK: an answer without a type, " +
            "not application/x-protobuf; is the port right?",
        }
        : {
          status: "failure",
          reason: `cannot send to %: HTTP 400 Bad Request: ${"y".repeat(200)}`,
        },
    );
    ok(written < 100_000_000, `the server could write ${written} bytes`);
  }
});

Deno.test("otlp over HTTP continues after a failed connection", async () => {
  const replies: readonly ((socket: Socket) => void)[] = [
    (socket) => void socket.end(),
    (socket) => void socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
  ];
  let next = 0;
  await using server = await RawServer.start((socket) => replies[next++]?.(socket));
  await using exporter = await openOtlp({ endpoint: server.url });
  strictEqual((await exporter.export(BATCH)).status, "retryable");
  strictEqual((await exporter.export(BATCH)).status, "success");
});

Deno.test("otlp over HTTP closes its connections at shutdown", async () => {
  await using server = await RawServer.start((socket) =>
    void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
  );
  deepStrictEqual(await exportOnce({ endpoint: server.url }, BATCH), { status: "success" });
  await server.closedByClients();
});

Deno.test("otlp over HTTP stops when its signal is aborted", async () => {
  await using server = await RawServer.start(() => {});
  const given = { status: "retryable" } as const;
  const reason = `cannot send to ${server.url}/v1/traces: given up at shutdown`;
  const before = Date.now();
  deepStrictEqual(
    await exportOnce({ endpoint: server.url }, BATCH, AbortSignal.timeout(100)),
    { ...given, reason },
  );
  deepStrictEqual(
    await exportOnce({ endpoint: server.url }, BATCH, AbortSignal.abort()),
    { ...given, reason },
  );
  ok(Date.now() - before < 2000);
});

Deno.test("otlp sends a batch in parts if one body would be too large", async () => {
  const count = 12_000; // about 25 MiB in JSON
  let rejecting = false;
  await using receiver = await OtlpReceiver.start((response, { headers }) => {
    const body = rejecting ? '{"partialSuccess":{"rejectedSpans":1,"errorMessage":"one"}}' : "{}";
    response.writeHead(200, { "content-type": headers["content-type"] }).end(body);
  });
  const batch = makeBatch(...Array.from({ length: count }, () => ({})));
  await using exporter = await openOtlp({
    endpoint: receiver.url(),
    protocol: "http/json",
    compression: "gzip",
  });
  deepStrictEqual(await exporter.export(batch), { status: "success" });
  ok(receiver.requests.length > 1);
  const spans = receiver.requests.map(({ body }) => {
    ok(body.length < 20 * 1024 * 1024);
    return new TextDecoder().decode(body).split('"traceId"').length - 1;
  });
  strictEqual(spans.reduce((sum, n) => sum + n, 0), count);
  rejecting = true;
  deepStrictEqual(await exporter.export(batch), {
    status: "success",
    rejected: spans.length,
    message: "one",
  });
});

Deno.test("otlp counts the parts of a batch that were refused", async () => {
  const batch = makeBatch(...Array.from({ length: 12_000 }, () => ({})));
  const rows: readonly [first: number, second: number, outcome: ExportOutcome][] = [
    [400, 400, { status: "failure", reason: "cannot send to %: HTTP 400 Bad Request" }],
    [400, 200, {
      status: "success",
      rejected: 6000,
      message: "cannot send to %: HTTP 400 Bad Request",
    }],
    [200, 503, {
      status: "retryable",
      reason: "cannot send to %: HTTP 503 Service Unavailable",
      done: 6000,
    }],
    [400, 503, {
      status: "retryable",
      reason: "cannot send to %: HTTP 503 Service Unavailable",
      done: 6000,
      rejected: 6000,
      message: "cannot send to %: HTTP 400 Bad Request",
    }],
    [503, 200, { status: "retryable", reason: "cannot send to %: HTTP 503 Service Unavailable" }],
  ];
  for (const [first, second, outcome] of rows) {
    let next = first;
    await using receiver = await OtlpReceiver.start((response) => {
      response.writeHead(next).end();
      next = second;
    });
    const found = await exportOnce({ endpoint: receiver.url(), protocol: "http/json" }, batch);
    deepStrictEqual(withoutAddress(found, receiver.url()), outcome);
  }
});

function trickle(socket: Socket, text: string): void {
  let position = 0;
  const timer = setInterval(() => {
    if (position === text.length) socket.end();
    else socket.write(text.charAt(position++));
  }, 50);
  socket.once("close", () => clearInterval(timer));
}

/** Fails unless an export with a timeout of 300 ms ends in time, and may be tried again. */
async function isBounded(
  server: RawServer,
  reason: string,
  batch = BATCH,
  limitMs = 1500,
): Promise<void> {
  await using exporter = await openOtlp({ endpoint: server.url, timeout: "300ms" });
  const before = Date.now();
  const outcome = await exporter.export(batch);
  const elapsed = Date.now() - before;
  deepStrictEqual(outcome, {
    status: "retryable",
    reason: `cannot send to ${server.url}/v1/traces: ${reason}`,
  });
  ok(elapsed < limitMs, `took ${elapsed} ms`);
  await server.closedByClients();
}

function withoutAddress(outcome: ExportOutcome, base: string): unknown {
  const text = JSON.stringify(outcome)
    .replaceAll(`${base}/v1/traces`, "%").replaceAll(new URL(base).host, "@");
  return JSON.parse(text);
}
