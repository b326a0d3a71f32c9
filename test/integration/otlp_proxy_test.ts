/** How the otlp exporter reaches a receiver through a proxy. */
import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import type { ExportOutcome } from "../../src/exporter.ts";
import { withoutSecrets } from "../../src/messages/secrets.ts";
import { Certificates } from "../certificates.ts";
import { makeBatch } from "../fixtures.ts";
import { HttpProxy } from "../http_proxy.ts";
import { openOtlp } from "../open_otlp.ts";
import { accept as acceptGrpc, GrpcReceiver } from "../otlp_grpc_receiver.ts";
import { accept, OtlpReceiver } from "../otlp_receiver.ts";
import { RawServer, unusedPort } from "../raw_server.ts";

const BATCH = makeBatch({});
/** Nobody can resolve it but the proxy. */
const HOST = "receiver.example";

const PATHS = [
  { scheme: "http", protocol: "http/protobuf", variable: "http_proxy", method: "POST" },
  { scheme: "https", protocol: "http/json", variable: "HTTPS_PROXY", method: "CONNECT" },
  { scheme: "http", protocol: "grpc", variable: "http_proxy", method: "CONNECT" },
  { scheme: "https", protocol: "grpc", variable: "https_proxy", method: "CONNECT" },
  { scheme: "https", protocol: "grpc", variable: "GRPC_PROXY", method: "CONNECT" },
  { scheme: "http", protocol: "http/protobuf", variable: "ALL_PROXY", method: "POST" },
] as const;

for (const { scheme, protocol, variable, method } of PATHS) {
  const path = `${protocol} over ${scheme}`;

  for (const proxyScheme of ["http", "https"] as const) {
    Deno.test(`otlp sends ${path} through the ${proxyScheme} proxy of ${variable}`, async () => {
      await using certificates = await makeCertificates();
      await using receiver = await startReceiver(protocol, scheme, certificates);
      await using proxy = await HttpProxy.start(
        () => "pass",
        proxyScheme === "https" ? pemOf("proxy", certificates) : undefined,
      );
      const url = new URL(proxy.url("localhost"));
      url.username = "ann";
      url.password = "p@ss";
      const endpoint = `${scheme}://${HOST}:${receiver.port}`;
      await using exporter = await openOtlp(
        { endpoint, protocol },
        certificates.folder,
        { [variable]: url.href, SSL_CERT_FILE: certificates.path("ca.crt"), SSL_CERT_DIR: "/none" },
      );
      const path = protocol === "grpc" ? "" : "/v1/traces";
      const shown = `${endpoint}${path} through the proxy ${proxy.url("localhost")}`;
      strictEqual(exporter.destination, shown);
      deepStrictEqual(await exporter.export(BATCH), { status: "success" });
      deepStrictEqual(await exporter.export(BATCH), { status: "success" });
      const target = method === "CONNECT" ? `${HOST}:${receiver.port}` : `${endpoint}/v1/traces`;
      const asked = proxy.requests.map(({ method, target }) => ({ method, target }));
      const each = { method, target };
      deepStrictEqual(asked, method === "CONNECT" ? [each] : [each, each], "connections are kept");
      const [request] = proxy.requests;
      strictEqual(request?.headers["proxy-authorization"], `Basic ${btoa("ann:p@ss")}`);
      strictEqual(request?.headers.host, `${HOST}:${receiver.port}`);
      if (receiver instanceof OtlpReceiver) {
        strictEqual(receiver.requests.length, 2);
        strictEqual(receiver.requests[0]?.path, "/v1/traces");
        strictEqual(receiver.requests[0]?.headers.host, `${HOST}:${receiver.port}`);
      } else strictEqual(receiver.calls.length, 2);
    });
  }

  Deno.test(`otlp says why a proxy passes no ${path} on`, async () => {
    const rows: readonly [reply: number, found: string][] = [
      [403, `it must allow ${HOST}:4000, or no_proxy must name that host`],
      [
        407,
        `put its user name and password into ${variable}, as http://USER:PASSWORD@HOST:PORT`,
      ],
      [502, `it cannot reach ${HOST}:4000`],
      [503, `it cannot reach ${HOST}:4000`],
    ];
    for (const [reply, found] of rows) {
      await using proxy = await HttpProxy.start(() => reply);
      if (reply === 407) {
        const url = proxy.url().replace("//", "//ann:wrong-word@");
        const { reason } = await exportThrough(url, { protocol });
        ok(reason.endsWith(`: check the user name and the password in ${variable}`), reason);
      }
      const outcome = await exportThrough(proxy.url(), { protocol });
      strictEqual(outcome.status, "retryable", `${reply}`);
      strictEqual(
        withoutStatusText(outcome.reason),
        `cannot send to ${shown()} through the proxy ${proxy.url()}: ` +
          `the proxy answers HTTP ${reply}: ${found}`,
      );
    }
  });

  Deno.test(`otlp says of ${path} that the proxy is not there`, async () => {
    const port = unusedPort();
    const rows: readonly [proxy: string, found: string][] = [
      [`http://127.0.0.1:${port}`, "connection refused"],
      ["http://proxy.invalid:3128", "no such host"],
    ];
    for (const [proxy, found] of rows) {
      deepStrictEqual(await exportThrough(`${proxy}/`, { protocol }), {
        status: "retryable",
        reason: `cannot send to ${shown()} through the proxy ${proxy}: ` +
          `no connection to the proxy: ${found}`,
      });
    }
  });

  Deno.test(`otlp gives up on a proxy that does not answer ${path}`, async () => {
    await using proxy = await HttpProxy.start(() => "silent");
    await using mute = await RawServer.start(() => {});
    for (const url of [proxy.url(), mute.url]) {
      const began = performance.now();
      deepStrictEqual(await exportThrough(url, { protocol, timeout: "300ms" }), {
        status: "retryable",
        reason: `cannot send to ${shown()} through the proxy ${url}: ` +
          "no complete answer within 300ms",
      });
      deepStrictEqual(await exportThrough(url, { protocol }, AbortSignal.timeout(100)), {
        status: "retryable",
        reason: `cannot send to ${shown()} through the proxy ${url}: given up at shutdown`,
      });
      const took = performance.now() - began;
      ok(took < 3000, `took ${took} ms`);
    }
    await proxy.allClosed();
    await mute.closedByClients();
  });

  const shown = () => `${scheme}://${HOST}:4000${protocol === "grpc" ? "" : "/v1/traces"}`;
  const exportThrough = async (
    proxy: string,
    settings: object,
    signal?: AbortSignal,
  ): Promise<ExportOutcome & { readonly reason: string }> => {
    const endpoint = `${scheme}://${HOST}:4000`;
    await using exporter = await openOtlp({ endpoint, ...settings }, "/", { [variable]: proxy });
    const outcome = await exporter.export(BATCH, signal);
    if (outcome.status === "success") throw new Error("nobody could take it");
    return outcome;
  };
}

Deno.test("otlp expects the certificate of an https proxy to be for the proxy", async () => {
  await using certificates = await makeCertificates();
  await using receiver = await OtlpReceiver.start();
  const endpoint = `http://${HOST}:${receiver.port}`;
  const trusted = { SSL_CERT_FILE: certificates.path("ca.crt"), SSL_CERT_DIR: "/none" };
  const rows = [
    ["proxy", "localhost", "success"],
    ["proxy", "127.0.0.1", "success"],
    ["receiver", "localhost", "retryable"],
    ["receiver", "127.0.0.1", "retryable"],
  ] as const;
  for (const [name, host, status] of rows) {
    await using proxy = await HttpProxy.start(() => "pass", pemOf(name, certificates));
    const variables = { ...trusted, http_proxy: proxy.url(host) };
    await using exporter = await openOtlp({ endpoint }, "/", variables);
    strictEqual((await exporter.export(BATCH)).status, status, `${name}.crt on ${host}`);
  }
});

Deno.test("otlp over grpc says what happened last, not what happened before", async () => {
  const settings = { endpoint: `http://${HOST}:4317`, protocol: "grpc" };
  const proxy = await HttpProxy.start(() => 403);
  await using exporter = await openOtlp(settings, "/", { http_proxy: proxy.url() });
  const reasonOf = (outcome: ExportOutcome) => "reason" in outcome ? outcome.reason : "";
  ok(reasonOf(await exporter.export(BATCH)).includes("the proxy answers HTTP 403"));
  await proxy[Symbol.asyncDispose]();
  const reason = reasonOf(await exporter.export(BATCH));
  ok(reason.endsWith(": no connection to the proxy: connection refused"), reason);
});

Deno.test("otlp asks no proxy for loopback, nor for what no_proxy names", async () => {
  await using proxy = await HttpProxy.start();
  const variables = { http_proxy: proxy.url(), grpc_proxy: proxy.url(), no_proxy: ".invalid" };
  for (const protocol of ["http/protobuf", "grpc"]) {
    await using receiver = await startReceiver(protocol, "http");
    for (const host of ["localhost", "127.0.0.1", "LOCALHOST", "127.1"]) {
      const endpoint = `http://${host}:${receiver.port}`;
      await using exporter = await openOtlp({ endpoint, protocol }, "/", variables);
      deepStrictEqual(await exporter.export(BATCH), { status: "success" }, endpoint);
    }
    await using exporter = await openOtlp(
      { endpoint: "http://host.invalid:4317", protocol },
      "/",
      variables,
    );
    const outcome = await exporter.export(BATCH);
    ok(outcome.status === "retryable" && /4317[^ ]*: no such host$/.test(outcome.reason));
  }
  deepStrictEqual(proxy.requests, []);
});

Deno.test("otlp passes on what a receiver behind a proxy answers", async () => {
  const rows: readonly [status: number, type: string, outcome: ExportOutcome["status"]][] = [
    [400, "application/x-protobuf", "failure"],
    [500, "application/x-protobuf", "failure"],
    [503, "application/x-protobuf", "retryable"],
    [404, "text/html", "failure"],
    [500, "text/html", "retryable"], // a proxy that cannot reach the server says so in this way
  ];
  for (const [status, type, outcome] of rows) {
    await using receiver = await OtlpReceiver.start((response) =>
      void response.writeHead(status, { "content-type": type }).end()
    );
    await using proxy = await HttpProxy.start();
    const endpoint = `http://${HOST}:${receiver.port}`;
    await using exporter = await openOtlp({ endpoint }, "/", { http_proxy: proxy.url() });
    strictEqual((await exporter.export(BATCH)).status, outcome, `${status} ${type}`);
  }
});

Deno.test("otlp refuses a SOCKS proxy, and shows no proxy's password", async () => {
  const endpoint = `http://${HOST}:4318`;
  await rejects(
    openOtlp({ endpoint }, "/", { all_proxy: "socks5://ann:s3cret-s3cret@proxy:1080" }),
    {
      name: "UsageError",
      message: "exporters.otlp/test: cannot use all_proxy: found a socks5 proxy: expected " +
        "http://HOST:PORT or https://HOST:PORT, or the endpoint's host in no_proxy",
    },
  );
  const http_proxy = `http://ann:s3cret-p%40ss@127.0.0.1:${unusedPort()}`;
  await using exporter = await openOtlp({ endpoint }, "/", { http_proxy });
  const outcome = await exporter.export(BATCH);
  ok(outcome.status === "retryable" && !/ann@|ann:|s3cret/.test(outcome.reason));
  const basic = btoa("ann:s3cret-p@ss");
  strictEqual(withoutSecrets(`s3cret-p@ss s3cret-p%40ss ${basic}`), "*** *** ***");
});

async function makeCertificates(): Promise<Certificates> {
  const certificates = await Certificates.make();
  await certificates.sign("receiver", `DNS:${HOST}`);
  await certificates.sign("proxy", "DNS:localhost,IP:127.0.0.1");
  return certificates;
}

function pemOf(name: string, certificates: Certificates) {
  return { cert: certificates.read(`${name}.crt`), key: certificates.read(`${name}.key`) };
}

async function startReceiver(
  protocol: string,
  scheme: string,
  certificates?: Certificates,
): Promise<GrpcReceiver | OtlpReceiver> {
  const tls = certificates && scheme === "https" ? pemOf("receiver", certificates) : undefined;
  return protocol === "grpc"
    ? await GrpcReceiver.start(acceptGrpc, tls)
    : await OtlpReceiver.start(accept, tls);
}

/** `HTTP 403 Forbidden:` as `HTTP 403:`. */
function withoutStatusText(reason: string): string {
  return reason.replace(/(HTTP \d+) [A-Z][A-Za-z ]+:/, "$1:");
}
