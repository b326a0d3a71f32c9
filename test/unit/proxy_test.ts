/** Which proxy an endpoint is reached through. */
import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { isExempt, leadsToLoopback } from "../../exporters/otlp/connection/no_proxy.ts";
import { proxyOf } from "../../exporters/otlp/connection/proxy.ts";

Deno.test("proxyOf() reads the variables of curl and gRPC", () => {
  const rows: readonly [
    endpoint: string,
    protocol: "http" | "grpc",
    variables: Readonly<Record<string, string>>,
    proxy: string | undefined,
  ][] = [
    ["http://r.example:4318", "http", {}, undefined],
    ["http://r.example:4318", "http", { http_proxy: "http://a:1" }, "http://a:1/"],
    ["http://r.example:4318", "http", { HTTP_PROXY: "http://a:1" }, "http://a:1/"],
    ["http://r.example", "http", { HTTP_PROXY: "http://a:1", http_proxy: "b:2" }, "http://b:2/"],
    ["http://r.example", "http", { HTTP_PROXY: "http://a:1", http_proxy: " " }, "http://a:1/"],
    ["http://r.example:4318", "http", { https_proxy: "http://a:1" }, undefined],
    ["http://r.example:4318", "http", { grpc_proxy: "http://a:1" }, undefined],
    ["https://r.example:4318", "http", { https_proxy: "http://a:1" }, "http://a:1/"],
    ["https://r.example:4318", "http", { HTTPS_PROXY: "http://a:1" }, "http://a:1/"],
    ["https://r.example:4318", "http", { http_proxy: "http://a:1" }, undefined],
    ["https://r.example", "http", { all_proxy: "http://a:1" }, "http://a:1/"],
    ["http://r.example", "http", { ALL_PROXY: "http://a:1" }, "http://a:1/"],
    ["http://r.example", "http", { all_proxy: "socks5://a:1", http_proxy: "b:2" }, "http://b:2/"],
    ["http://r.example:4317", "grpc", { http_proxy: "http://a:1" }, "http://a:1/"],
    ["http://r.example:4317", "grpc", { https_proxy: "http://a:1" }, undefined],
    ["https://r.example:4317", "grpc", { https_proxy: "http://a:1" }, "http://a:1/"],
    ["https://r.example:4317", "grpc", { HTTPS_PROXY: "a:1", grpc_proxy: "b:2" }, "http://b:2/"],
    ["https://r.example:4317", "grpc", { HTTPS_PROXY: "a:1", GRPC_PROXY: "b:2" }, "http://b:2/"],
    ["http://r.example:4317", "grpc", { ALL_PROXY: "http://a:1" }, "http://a:1/"],
    ["http://r.example", "http", { http_proxy: "a:1", no_proxy: "r.example" }, undefined],
    ["http://r.example", "http", { HTTP_PROXY: "a:1", NO_PROXY: "r.example" }, undefined],
    ["http://r.example", "grpc", { HTTP_PROXY: "a:1", NO_PROXY: "r.example" }, undefined],
    [
      "http://r.example",
      "http",
      { http_proxy: "a:1", NO_PROXY: "r.example", no_proxy: "x" },
      "http://a:1/",
    ],
    ["http://r.example", "grpc", { http_proxy: "a:1", no_grpc_proxy: "r.example" }, undefined],
    ["http://r.example", "http", { http_proxy: "a:1", no_grpc_proxy: "r.example" }, "http://a:1/"],
    ["http://localhost:4318", "http", { http_proxy: "a:1", all_proxy: "a:1" }, undefined],
    ["http://127.0.0.1:4317", "grpc", { http_proxy: "a:1", grpc_proxy: "a:1" }, undefined],
  ];
  for (const [endpoint, protocol, variables, proxy] of rows) {
    const found = proxyOf(new URL(endpoint), protocol, (name) => variables[name]);
    strictEqual(found?.url.href, proxy, `${protocol} ${endpoint} ${JSON.stringify(variables)}`);
  }
});

Deno.test("proxyOf() reads the URL of a proxy", () => {
  const rows: readonly [value: string, url: string, authorization?: string][] = [
    ["proxy.example:3128", "http://proxy.example:3128/"],
    ["http://proxy.example:3128/", "http://proxy.example:3128/"],
    ["HTTP://Proxy.Example", "http://proxy.example/"],
    ["https://proxy.example", "https://proxy.example/"],
    ["http://[fd00::1]:3128", "http://[fd00::1]:3128/"],
    ["[fd00::1]:3128", "http://[fd00::1]:3128/"],
    ["http://ann:p%40ss@p:1", "http://ann:p%40ss@p:1/", `Basic ${btoa("ann:p@ss")}`],
    ["ann:secret@p:1", "http://ann:secret@p:1/", `Basic ${btoa("ann:secret")}`],
    ["http://token@p:1", "http://token@p:1/", `Basic ${btoa("token:")}`],
  ];
  for (const [value, url, authorization] of rows) {
    const env = (name: string) => name === "http_proxy" ? value : undefined;
    const found = proxyOf(new URL("http://r.example"), "http", env);
    deepStrictEqual([found?.url.href, found?.authorization], [url, authorization], value);
  }
});

Deno.test("proxyOf() refuses what is not an HTTP proxy, and shows no password", () => {
  const rows: readonly [value: string, found: string][] = [
    ["socks5://ann:secret@proxy:1080", "a socks5 proxy"],
    ["SOCKS5h://proxy:1080", "a socks5h proxy"],
    ["socks://proxy", "a socks proxy"],
    ["ftp://proxy", "a ftp proxy"],
    ["http://ann:se#cret@proxy:1", "something else"],
    ["proxy:port", "something else"],
    ["http://", "something else"],
  ];
  for (const [value, found] of rows) {
    const env = (name: string) => name === "ALL_PROXY" ? value : undefined;
    throws(() => proxyOf(new URL("http://r.example"), "grpc", env), {
      name: "UsageError",
      message: `cannot use ALL_PROXY: found ${found}: expected http://HOST:PORT or ` +
        "https://HOST:PORT, or the endpoint's host in no_proxy",
    });
    strictEqual(proxyOf(new URL("http://localhost"), "http", env), undefined);
  }
});

Deno.test("isExempt() reads no_proxy", () => {
  const rows: readonly [noProxy: string, endpoint: string, expected: boolean][] = [
    ["*", "http://r.example", true],
    ["a, *", "http://r.example", true],
    ["r.example", "http://r.example:4318", true],
    ["R.Example", "http://r.example", true],
    ["r.example.", "http://r.example", true],
    ["r.example", "http://r.example.", true],
    ["example", "http://r.example", true],
    [".example", "http://r.example", true],
    ["*.example", "http://r.example", true],
    [".r.example", "http://r.example", true],
    ["r.example", "http://tr.example", false],
    ["r.example", "http://r.example.org", false],
    ["x.r.example", "http://r.example", false],
    ["bücher.example", "http://bücher.example", true],
    ["r.example:4318", "http://r.example:4318", true],
    ["r.example:4318", "http://r.example:4317", false],
    ["r.example:80", "http://r.example", true],
    ["r.example:443", "https://r.example", true],
    [".example:443", "https://r.example", true],
    ["10.1.2.3", "http://10.1.2.3:4318", true],
    ["10.1.2.3:4318", "http://10.1.2.3:4318", true],
    ["10.1.2.3:4317", "http://10.1.2.3:4318", false],
    ["10.1.2.30", "http://10.1.2.3", false],
    ["2.3", "http://10.1.2.3", false],
    ["10.0.0.0/8", "http://10.1.2.3", true],
    ["10.1.2.0/30", "http://10.1.2.4", false],
    ["10.1.2.3/32", "http://10.1.2.3", true],
    ["0.0.0.0/0", "http://10.1.2.3", true],
    ["10.0.0.0/8", "http://r.example", false],
    ["10.0.0.0/8", "http://[::ffff:10.1.2.3]", true],
    ["10.0.0.0/33", "http://10.1.2.3", false],
    ["fd00::1", "http://[fd00::1]:4318", true],
    ["FD00:0::1", "http://[fd00::1]:4318", true],
    ["[fd00::1]", "http://[fd00::1]:4318", true],
    ["[fd00::1]:4318", "http://[fd00::1]:4318", true],
    ["[fd00::1]:4317", "http://[fd00::1]:4318", false],
    ["fd00::/8", "http://[fd12::1]", true],
    ["fd00::/8", "http://[fe80::1]", false],
    ["10.0.0.0/8", "http://[fd00::1]", false],
    [" a ,, r.example , ", "http://r.example", true],
    ["a r.example\tb", "http://r.example", true],
    ["", "http://r.example", false],
    [",", "http://r.example", false],
    [".", "http://r.example", false],
  ];
  for (const [noProxy, endpoint, expected] of rows) {
    strictEqual(isExempt(new URL(endpoint), noProxy), expected, `${noProxy} ${endpoint}`);
  }
});

Deno.test("leadsToLoopback() knows the names and addresses of the host itself", () => {
  const rows: readonly [host: string, expected: boolean][] = [
    ["localhost", true],
    ["LOCALHOST.", true],
    ["otel.localhost", true],
    ["localhost.localdomain", true],
    ["ip6-localhost", true],
    ["127.0.0.1", true],
    ["127.1", true],
    ["127.255.0.9", true],
    ["0.0.0.0", true],
    ["[::1]", true],
    ["[::]", true],
    ["[::ffff:127.0.0.1]", true],
    ["localhost.example", false],
    ["notlocalhost", false],
    ["126.0.0.1", false],
    ["[::2]", false],
    ["[::ffff:10.0.0.1]", false],
  ];
  for (const [host, expected] of rows) {
    strictEqual(leadsToLoopback(new URL(`http://${host}:4318`)), expected, host);
  }
});
