/** The otlp exporter's certificates, with real ones. */
import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { Certificates } from "../certificates.ts";
import { makeBatch } from "../fixtures.ts";
import { openOtlp } from "../open_otlp.ts";
import { accept as acceptGrpc, GrpcReceiver } from "../otlp_grpc_receiver.ts";
import { accept, OtlpReceiver } from "../otlp_receiver.ts";

const BATCH = makeBatch({});
const CLIENT = { ca_file: "ca.crt", cert_file: "client.crt", key_file: "client.key" };

/** Servers that demand a client certificate: good.crt is for localhost and 127.0.0.1. */
const EXPORTS: readonly {
  readonly name: string;
  readonly server?: string;
  readonly host: string;
  readonly tls: object;
  /** What the reason must match; none for a success. */
  readonly refused?: RegExp;
}[] = [
  { name: "sends to a name", host: "localhost", tls: CLIENT },
  { name: "sends to an address", host: "127.0.0.1", tls: CLIENT },
  {
    name: "refuses an unknown authority",
    host: "localhost",
    tls: { cert_file: "client.crt", key_file: "client.key" },
    refused: /self-signed certificate/,
  },
  {
    name: "refuses a certificate for another name",
    server: "other",
    host: "localhost",
    tls: CLIENT,
    refused: /altnames/,
  },
  {
    name: "refuses a certificate for another address",
    server: "other",
    host: "127.0.0.1",
    tls: CLIENT,
    refused: /altnames|not in the cert/,
  },
  {
    name: "refuses a certificate that has expired",
    server: "expired",
    host: "localhost",
    tls: CLIENT,
    refused: /expired/,
  },
  {
    name: "takes any certificate if configured so",
    server: "other",
    host: "localhost",
    tls: { cert_file: "client.crt", key_file: "client.key", insecure_skip_verify: true },
  },
  {
    name: "takes any certificate of an address if configured so",
    server: "other",
    host: "127.0.0.1",
    tls: { cert_file: "client.crt", key_file: "client.key", insecure_skip_verify: true },
  },
  {
    name: "says that a client certificate is missing",
    host: "localhost",
    tls: { ca_file: "ca.crt" },
    refused: /CertificateRequired/,
  },
];

for (const protocol of ["http/protobuf", "grpc"]) {
  for (const { name, server = "good", host, tls, refused } of EXPORTS) {
    Deno.test(`otlp over TLS and ${protocol} ${name}`, async () => {
      await using certificates = await makeCertificates();
      const pem = {
        cert: certificates.read(`${server}.crt`),
        key: certificates.read(`${server}.key`),
        ca: certificates.read("ca.crt"),
      };
      await using receiver = protocol === "grpc"
        ? await GrpcReceiver.start(acceptGrpc, pem)
        : await OtlpReceiver.start(accept, pem);
      const endpoint = `https://${host}:${receiver.port}`;
      await using exporter = await openOtlp({ endpoint, protocol, tls }, certificates.folder);
      const outcome = await exporter.export(BATCH);
      if (refused === undefined) {
        deepStrictEqual(outcome, { status: "success" });
      } else {
        strictEqual(outcome.status, "retryable");
        ok(outcome.reason.startsWith(`cannot send to ${endpoint}`), outcome.reason);
        ok(refused.test(outcome.reason), outcome.reason);
      }
    });
  }
}

Deno.test("otlp says which file it cannot use", async () => {
  await using certificates = await makeCertificates();
  const path = (name: string) => certificates.path(name);
  Deno.writeTextFileSync(path("text.crt"), "hello");
  Deno.writeTextFileSync(
    path("broken.crt"),
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
  );
  Deno.writeTextFileSync(
    path("half.crt"),
    certificates.read("ca.crt") + certificates.read("broken.crt"),
  );
  const rows: readonly [tls: object, message: string][] = [
    [{ ca_file: "none.crt" }, `cannot read tls.ca_file: "${path("none.crt")}": no such file`],
    [
      { ...CLIENT, cert_file: "/none.crt" },
      'cannot read tls.cert_file: "/none.crt": no such file',
    ],
    [{ ...CLIENT, key_file: "none" }, `cannot read tls.key_file: "${path("none")}": no such file`],
    [
      { ca_file: "text.crt" },
      `cannot use tls.ca_file: "${path("text.crt")}": expected a certificate in PEM form`,
    ],
    [
      { ca_file: "broken.crt" },
      `cannot use tls.ca_file: "${path("broken.crt")}": expected a certificate in PEM form`,
    ],
    [
      { ca_file: "half.crt" },
      `cannot use tls.ca_file: "${path("half.crt")}": expected a certificate in PEM form`,
    ],
    [
      { ...CLIENT, key_file: "client.crt" },
      `cannot use tls.key_file: "${path("client.crt")}": ` +
      "expected a private key without a passphrase in PEM form",
    ],
    [
      { ...CLIENT, key_file: "good.key" },
      `cannot use tls.key_file: "${path("good.key")}" is not the key of "${path("client.crt")}"`,
    ],
  ];
  for (const [tls, message] of rows) {
    await rejects(
      openOtlp({ endpoint: "https://localhost:4318", tls }, certificates.folder),
      { name: "UsageError", message: `exporters.otlp/test: ${message}` },
    );
  }
  await rejects(
    openOtlp({ tls: { ca_file: "." } }, certificates.folder),
    { name: "UsageError", message: /^exporters\.otlp\/test: cannot read tls\.ca_file: "\/.*": / },
  );
});

async function makeCertificates(): Promise<Certificates> {
  const certificates = await Certificates.make();
  await Promise.all([
    certificates.sign("good", "DNS:localhost,IP:127.0.0.1"),
    certificates.sign("other", "DNS:other.example,IP:127.0.0.9"),
    certificates.sign("client", "DNS:client.example"),
    certificates.signExpired("expired"),
  ]);
  return certificates;
}
