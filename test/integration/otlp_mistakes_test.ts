/** What the otlp exporter says of the usual mistakes, with a real Collector and real certificates. */
import { ok, strictEqual } from "node:assert/strict";
import { startCollector } from "../backends/collector.ts";
import { Certificates } from "../certificates.ts";
import { makeBatch } from "../fixtures.ts";
import { openOtlp } from "../open_otlp.ts";
import { accept as acceptGrpc, GrpcReceiver } from "../otlp_grpc_receiver.ts";
import { accept, OtlpReceiver } from "../otlp_receiver.ts";
import { RawServer } from "../raw_server.ts";

const BATCH = makeBatch({});
const NO_TLS = "the server does not speak TLS there: write http:// instead of https://, " +
  "or use its port for TLS";
const WANTS_TLS = "the server speaks TLS there: write https:// instead of http://";
const IS_GRPC = "the server speaks HTTP/2 there, as gRPC does: set protocol: grpc, " +
  "or use the port of OTLP over HTTP, usually 4318";
const NO_GRPC =
  "the server does not speak HTTP/2 there, so no gRPC: use the port of OTLP over gRPC, " +
  "usually 4317, or protocol: http/protobuf";
const NO_GRPC_IN_TLS =
  "the server has no HTTP/2 there, so no gRPC: use the port of OTLP over gRPC, " +
  "usually 4317, or protocol: http/protobuf";
const CLOSED = /^connection (?:reset|closed) before an answer: does it want https:\/\/, /;
/** Go's server may answer in HTTP/1 before it hangs up. */
const CLOSED_OR_NO_GRPC =
  /^(?:connection (?:reset|closed) before an answer: does it want https:\/\/, |.* HTTP\/2.*usually 4317)/;
const UNTRUSTED = "not trusted here: set tls.ca_file to the authority's certificate, " +
  "or install that in the system's store";
const UNTRUSTED_FILE = "not trusted here: tls.ca_file must contain the authority's certificate, " +
  "and the server send those in between; without tls.ca_file, the system's store counts";

Deno.test("otlp says what is wrong with the port or the scheme", async () => {
  await using certificates = await Certificates.make();
  await certificates.sign("good", "DNS:localhost,IP:127.0.0.1");
  const pem = { cert: certificates.read("good.crt"), key: certificates.read("good.key") };
  await using collector = await startCollector();
  await using http = await OtlpReceiver.start();
  await using https = await OtlpReceiver.start(accept, pem);
  await using grpcs = await GrpcReceiver.start(acceptGrpc, pem);
  await using mail = await RawServer.start((socket) => void socket.end("220 mail ESMTP\r\n"));
  const rows: readonly [
    protocol: "http/protobuf" | "grpc",
    scheme: "http" | "https",
    server: string,
    url: string,
    found: string | RegExp,
  ][] = [
    ["http/protobuf", "http", "the Collector's gRPC", collector.otlpGrpc, IS_GRPC],
    ["http/protobuf", "http", "HTTP in TLS", https.url(), WANTS_TLS],
    ["http/protobuf", "http", "gRPC in TLS", `https://127.0.0.1:${grpcs.port}`, /TLS|https:/],
    ["http/protobuf", "http", "mail", mail.url, /^the answer is not HTTP: use the port of OTLP/],
    ["http/protobuf", "https", "the Collector's HTTP", collector.otlpHttp, NO_TLS],
    ["http/protobuf", "https", "the Collector's gRPC", collector.otlpGrpc, NO_TLS],
    ["http/protobuf", "https", "mail", mail.url, NO_TLS],
    ["grpc", "http", "HTTP", http.url(), NO_GRPC],
    ["grpc", "http", "the Collector's HTTP", collector.otlpHttp, CLOSED_OR_NO_GRPC],
    ["grpc", "http", "HTTP in TLS", https.url(), CLOSED],
    ["grpc", "http", "gRPC in TLS", `https://127.0.0.1:${grpcs.port}`, CLOSED],
    ["grpc", "https", "the Collector's HTTP", collector.otlpHttp, NO_TLS],
    ["grpc", "https", "the Collector's gRPC", collector.otlpGrpc, NO_TLS],
    ["grpc", "https", "HTTP in TLS", https.url(), NO_GRPC_IN_TLS],
  ];
  for (const [protocol, scheme, server, url, found] of rows) {
    const endpoint = `${scheme}://${new URL(url).host}`;
    await saysOf({ endpoint, protocol, tls: { ca_file: certificates.path("ca.crt") } }, {
      found,
      what: `${protocol} over ${scheme} to ${server}`,
    });
  }
});

Deno.test("otlp says that it cannot connect to an address without its interface", async () => {
  for (const protocol of ["http/protobuf", "grpc"]) {
    const found = "this host cannot connect to such an address";
    await saysOf({ endpoint: "http://[fe80::1]:4318", protocol, tls: {} }, {
      found,
      what: protocol,
    });
  }
});

Deno.test("otlp says what is wrong with a certificate", async () => {
  await using certificates = await Certificates.make();
  await using other = await Certificates.make();
  await Promise.all([
    certificates.sign("good", "DNS:localhost,IP:127.0.0.1"),
    certificates.sign("other", "DNS:other.example,IP:127.0.0.9"),
    certificates.sign("address", "IP:127.0.0.1"),
    certificates.signExpired("expired"),
  ]);
  const mine = { ca_file: certificates.path("ca.crt") };
  const rows: readonly [server: string, host: string, tls: object, found: string | RegExp][] = [
    ["good", "localhost", {}, new RegExp(`certificate is ${UNTRUSTED}$`)],
    ["good", "localhost", { ca_file: other.path("ca.crt") }, new RegExp(`${UNTRUSTED_FILE}$`)],
    [
      "other",
      "localhost",
      mine,
      "the server's certificate is not for localhost: use a name that it is for, or renew it; " +
      "its altnames: DNS:other.example, IP Address:127.0.0.9",
    ],
    ["address", "localhost", mine, /^the server's certificate is not for localhost: use a name /],
    [
      "other",
      "127.0.0.1",
      mine,
      /^the server's certificate is not for 127\.0\.0\.1: .*127\.0\.0\.9/,
    ],
    [
      "expired",
      "localhost",
      mine,
      "the server's certificate has expired: renew it, or set this host's clock",
    ],
  ];
  for (const [server, host, tls, found] of rows) {
    const pem = {
      cert: certificates.read(`${server}.crt`),
      key: certificates.read(`${server}.key`),
    };
    await using http = await OtlpReceiver.start(accept, pem);
    await using grpc = await GrpcReceiver.start(acceptGrpc, pem);
    for (const [protocol, { port }] of [["http/json", http], ["grpc", grpc]] as const) {
      const what = `${protocol} to ${host} with ${server}.crt`;
      await saysOf({ endpoint: `https://${host}:${port}`, protocol, tls }, { found, what });
    }
  }
});

Deno.test("otlp trusts what the system's store has, unless tls.ca_file names others", async () => {
  await using certificates = await Certificates.make();
  await using other = await Certificates.make();
  await certificates.sign("good", "DNS:localhost");
  const pem = { cert: certificates.read("good.crt"), key: certificates.read("good.key") };
  await using http = await OtlpReceiver.start(accept, pem);
  await using grpc = await GrpcReceiver.start(acceptGrpc, pem);
  const folder = `${other.folder}/store`;
  await Deno.mkdir(folder);
  await Deno.copyFile(certificates.path("ca.crt"), `${folder}/0a1b2c3d.0`);
  const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  await Deno.writeTextFile(other.path("half.crt"), broken + certificates.read("ca.crt") + broken);
  const stores = [
    { SSL_CERT_FILE: certificates.path("ca.crt") },
    { SSL_CERT_FILE: other.path("half.crt") },
    { SSL_CERT_DIR: `/none:${folder}` },
  ];
  for (const variables of stores) {
    for (const [protocol, { port }] of [["http/protobuf", http], ["grpc", grpc]] as const) {
      const endpoint = `https://localhost:${port}`;
      await using trusting = await openOtlp({ endpoint, protocol }, "/", variables);
      strictEqual((await trusting.export(BATCH)).status, "success", protocol);
      const tls = { ca_file: other.path("ca.crt") };
      await using replaced = await openOtlp({ endpoint, protocol, tls }, "/", variables);
      strictEqual((await replaced.export(BATCH)).status, "retryable", protocol);
    }
  }
});

/** Fails unless an export may be tried again, and its reason is `found`. */
async function saysOf(
  settings: { readonly endpoint: string; readonly protocol: string; readonly tls: object },
  { found, what }: { readonly found: string | RegExp; readonly what: string },
): Promise<void> {
  await using exporter = await openOtlp({ ...settings, timeout: "5s" }, "/", {
    SSL_CERT_FILE: "/none",
    SSL_CERT_DIR: "/none",
  });
  const outcome = await exporter.export(BATCH);
  strictEqual(outcome.status, "retryable", what);
  const path = settings.protocol === "grpc" ? "" : "/v1/traces";
  const start = `cannot send to ${settings.endpoint}${path}: `;
  ok(outcome.reason.startsWith(start), `${what}: ${outcome.reason}`);
  const said = outcome.reason.slice(start.length);
  if (typeof found === "string") strictEqual(said, found, what);
  else ok(found.test(said), `${what}: ${said}`);
}
