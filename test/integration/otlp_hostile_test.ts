/** Servers with malicious answers: each export ends in time, in bounded memory, with a reason. */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as http2 from "node:http2";
import type { Socket } from "node:net";
import { gzipSync } from "node:zlib";
import type { ExportOutcome } from "../../src/exporter.ts";
import { makeBatch } from "../fixtures.ts";
import { exportOnce, openOtlp } from "../open_otlp.ts";
import { startHttp2 } from "../http2_server.ts";
import { accept, OtlpReceiver } from "../otlp_receiver.ts";
import { RawServer } from "../raw_server.ts";

const BATCH = makeBatch({});
const TIMEOUT_MS = 1000;
const MARGIN_MS = 3000; // beyond the timeout, on a busy machine
const MOST_GROWTH = 256 * 2 ** 20; // bytes of this process, with the server in it

/** The outcome of one export to a hostile server. */
async function attempt(endpoint: string, protocol: string): Promise<ExportOutcome> {
  const began = performance.now();
  const before = Deno.memoryUsage().rss;
  const outcome = await exportOnce({ endpoint, protocol, timeout: `${TIMEOUT_MS}ms` }, BATCH);
  const took = performance.now() - began;
  ok(took < TIMEOUT_MS + MARGIN_MS, `it took ${Math.round(took)} ms`);
  const growth = Deno.memoryUsage().rss - before;
  ok(growth < MOST_GROWTH, `memory grew by ${growth} bytes`);
  if (outcome.status !== "success") {
    // deno-lint-ignore no-control-regex
    ok(!/[\0-\x1f\x7f-\x9f]/.test(outcome.reason), JSON.stringify(outcome.reason));
    ok(outcome.reason.length < 500, outcome.reason);
  }
  return outcome;
}

/** Writes `first`, then `again` without end, as fast as the client takes it. */
function endless(first: string, again: string | Uint8Array) {
  const chunk = Buffer.from(again);
  const many = Buffer.concat(Array.from({ length: Math.ceil(65536 / chunk.length) }, () => chunk));
  return (socket: Socket) => {
    socket.write(first);
    const more = () => {
      if (socket.destroyed) return;
      const room = socket.write(many);
      if (room) setTimeout(more);
      else socket.once("drain", more);
    };
    more();
  };
}

const OK = "HTTP/1.1 200 OK\r\n";

const ENDLESS: readonly (readonly [string, string, string])[] = [
  ["headers", OK, "X-More: yes\r\n"],
  ["one header", `${OK}X-More: `, "y"],
  ["a status line", "HTTP/1.1 200 ", "O"],
  ["1xx answers", "", "HTTP/1.1 100 Continue\r\n\r\n"],
  ["early hints", "", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"],
  ["empty lines", "", "\r\n"],
  ["a body", `${OK}\r\n`, "y"],
  ["chunks", `${OK}Transfer-Encoding: chunked\r\n\r\n`, "1\r\ny\r\n"],
  ["a chunk's extension", `${OK}Transfer-Encoding: chunked\r\n\r\n1;`, "y"],
  ["trailers", `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n`, "X-More: yes\r\n"],
  ["something that is not HTTP", "", "\0\xff220 "],
];

for (const [name, first, again] of ENDLESS) {
  Deno.test(`otlp over HTTP survives ${name} without end`, async () => {
    await using server = await RawServer.start(endless(first, again));
    await attempt(server.url, "http/protobuf");
  });
}

const BOMB = gzipSync(new Uint8Array(64 * 2 ** 20)).toString("latin1");

/** Answers after which the connection is closed, and the outcome of the export. */
const ANSWERS: readonly (readonly [string, string, ExportOutcome["status"]])[] = [
  ["HTTP/0.9", "<html>hello</html>", "retryable"],
  ["HTTP/9.9", "HTTP/9.9 200 OK\r\n\r\n", "retryable"],
  ["the status 000", "HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n", "failure"],
  ["the status 999", "HTTP/1.1 999 Much\r\nContent-Length: 0\r\n\r\n", "failure"],
  ["a negative length", `${OK}Content-Length: -1\r\n\r\n`, "retryable"],
  ["two lengths", `${OK}Content-Length: 0\r\nContent-Length: 5\r\n\r\nabcde`, "retryable"],
  [
    "a length and chunks",
    `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    "retryable",
  ],
  [
    "a chunk of 2^64 bytes",
    `${OK}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc`,
    "retryable",
  ],
  ["an invalid chunk", `${OK}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`, "retryable"],
  ["a NUL in a header", `${OK}X-Nul: a\0b\r\nContent-Length: 0\r\n\r\n`, "retryable"],
  ["a header without a name", `${OK}: x\r\nContent-Length: 0\r\n\r\n`, "retryable"],
  [
    "a switch of protocols",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "retryable",
  ],
  ["half an answer", `${OK}Content-Length: 10\r\n\r\nabc`, "retryable"],
  [
    "a gzip bomb",
    `${OK}Content-Type: application/x-protobuf\r\nContent-Encoding: gzip\r\nContent-Length: ${BOMB.length}\r\n\r\n${BOMB}`,
    "success",
  ],
  [
    "terminal escapes as a reason",
    "HTTP/1.1 400 \x1b[2J\x1b]0;evil\x07\r\nContent-Length: 0\r\n\r\n",
    "failure",
  ],
  [
    "terminal escapes as a body",
    "HTTP/1.1 400 Bad Request\r\nContent-Length: 11\r\n\r\n\x1b[2J\xc2\x9b31m\r\n",
    "failure",
  ],
  [
    "Retry-After: -1",
    "HTTP/1.1 503 Busy\r\nRetry-After: -1\r\nContent-Length: 0\r\n\r\n",
    "retryable",
  ],
  [
    "Retry-After: 1e999",
    "HTTP/1.1 503 Busy\r\nRetry-After: 1e999\r\nContent-Length: 0\r\n\r\n",
    "retryable",
  ],
  [
    "Retry-After: 99999999999999999999",
    "HTTP/1.1 503 Busy\r\nRetry-After: 99999999999999999999\r\nContent-Length: 0\r\n\r\n",
    "retryable",
  ],
  [
    "a Retry-After in the year 99999",
    "HTTP/1.1 503 Busy\r\nRetry-After: Fri, 31 Dec 99999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n",
    "retryable",
  ],
  [
    "a redirect to itself",
    "HTTP/1.1 308 Again\r\nLocation: /v1/traces\r\nContent-Length: 0\r\n\r\n",
    "failure",
  ],
];

for (const [name, answer, status] of ANSWERS) {
  Deno.test(`otlp over HTTP survives ${name}`, async () => {
    await using server = await RawServer.start((socket) => void socket.end(answer, "latin1"));
    const outcome = await attempt(server.url, "http/protobuf");
    strictEqual(outcome.status, status, JSON.stringify(outcome));
    if (outcome.status !== "retryable" || outcome.retryAfterMs === undefined) return;
    ok(outcome.retryAfterMs >= 0 && Number.isSafeInteger(outcome.retryAfterMs));
  });
}

for (const protocol of ["http/protobuf", "http/json", "grpc"]) {
  Deno.test(`otlp over ${protocol} survives a reset in the middle of the answer`, async () => {
    await using server = await RawServer.start((socket) => {
      socket.write(`${OK}Content-Length: 10\r\n\r\nabc`, () => socket.resetAndDestroy());
    });
    const outcome = await attempt(server.url, protocol);
    strictEqual(outcome.status, "retryable");
    if (outcome.status !== "retryable" || protocol === "grpc") return;
    ok(/: connection (?:reset|closed during the answer)$/.test(outcome.reason), outcome.reason);
  });

  Deno.test(`otlp over ${protocol} survives TLS to a port without TLS, and the reverse`, async () => {
    await using plain = await OtlpReceiver.start(accept);
    const url = plain.url().replace("http:", "https:");
    strictEqual((await attempt(url, protocol)).status, "retryable");
  });
}

const GRPC = { ":status": 200, "content-type": "application/grpc" } as const;

/** A gRPC message with its head: a flag and the length. */
function message(length: number, body: Uint8Array, compressed = false): Buffer {
  const head = Buffer.alloc(5);
  head[0] = Number(compressed);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, body]);
}

const bomb = gzipSync(new Uint8Array(64 * 2 ** 20));

const STREAMS: readonly (readonly [string, (stream: http2.ServerHttp2Stream) => void])[] = [
  ["a page of HTML", (stream) => {
    stream.respond({ ":status": 200, "content-type": "text/html" });
    stream.end("<html>".repeat(1000));
  }],
  [
    "a redirect",
    (stream) => stream.respond({ ":status": 302, location: "/" }, { endStream: true }),
  ],
  ["no status at the end", (stream) => {
    stream.respond(GRPC);
    stream.end();
  }],
  ["a status that is not a number", (stream) => {
    stream.respond({ ...GRPC, "grpc-status": "many" }, { endStream: true });
  }],
  ["an unknown status", (stream) => {
    stream.respond({ ...GRPC, "grpc-status": "4711" }, { endStream: true });
  }],
  ["terminal escapes as a message", (stream) => {
    stream.respond({ ...GRPC, "grpc-status": "3", "grpc-message": "%1B%5B2J%E2%80%AE" }, {
      endStream: true,
    });
  }],
  ["invalid details", (stream) => {
    stream.respond({ ...GRPC, "grpc-status": "14", "grpc-status-details-bin": "////" }, {
      endStream: true,
    });
  }],
  ["a message that claims to have 4 GiB", (stream) => {
    stream.respond(GRPC);
    stream.write(message(2 ** 32 - 1, Buffer.from("abc")));
  }],
  ["a message without end", (stream) => {
    stream.respond(GRPC);
    stream.write(message(2 ** 32 - 1, Buffer.alloc(0)));
    const chunk = Buffer.alloc(65536);
    const more = () => {
      if (stream.destroyed || stream.closed) return;
      if (stream.write(chunk)) setTimeout(more);
      else stream.once("drain", more);
    };
    more();
  }],
  ["a gzip bomb", (stream) => {
    stream.respond({ ...GRPC, "grpc-encoding": "gzip" });
    stream.end(message(bomb.length, bomb, true));
  }],
  ["invalid gzip", (stream) => {
    stream.respond({ ...GRPC, "grpc-encoding": "gzip" });
    stream.end(message(3, Buffer.from("abc"), true));
  }],
  ["a stream that is reset", (stream) => stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM)],
  ["a GOAWAY", (stream) => stream.session?.goaway(11)],
  ["a connection that is closed", (stream) => stream.session?.destroy()],
];

for (const [name, act] of STREAMS) {
  Deno.test(`otlp over grpc survives ${name}`, async () => {
    await using server = await startHttp2(act);
    const outcome = await attempt(server.url, "grpc");
    ok(outcome.status !== "success", name);
  });
}

Deno.test("otlp over grpc survives junk without end", async () => {
  await using server = await RawServer.start(endless("", "\0\xffjunk"));
  await attempt(server.url, "grpc");
});

Deno.test("otlp over grpc survives pings and settings without end", async () => {
  for (const frame of ["000000040000000000", "0000080600000000000000000000000000"]) {
    const bytes = Uint8Array.fromHex(frame);
    await using server = await RawServer.start((socket) => {
      socket.write(Uint8Array.fromHex("000000040000000000")); // the first frame: empty settings
      endless("", bytes)(socket);
    });
    const outcome = await attempt(server.url, "grpc");
    strictEqual(outcome.status, "retryable");
  }
});

Deno.test("an exporter to a hostile server does not delay one to a good server", async () => {
  await using hostile = await RawServer.start(endless(OK, "X-More: yes\r\n"));
  await using good = await OtlpReceiver.start(accept);
  await using one = await openOtlp({ endpoint: hostile.url, timeout: "1s" });
  await using other = await openOtlp({ endpoint: good.url() });
  const bad = one.export(BATCH);
  const began = performance.now();
  deepStrictEqual(await other.export(BATCH), { status: "success" });
  ok(performance.now() - began < MARGIN_MS);
  await bad;
});
