import assert from "node:assert/strict";
import fc from "fast-check";
import { type ResolvedOtlp, resolveOtlp, type Signal } from "../../exporters/otlp/environment.ts";
import { otlpSettings } from "../../exporters/otlp/settings.ts";
import { UsageError } from "../../src/messages/errors.ts";

type Variables = Readonly<Record<string, string>>;
type Settings = Parameters<typeof otlpSettings.parse>[0];

/** The result of settings and variables; variables without OTEL_EXPORTER_OTLP_. */
function resolve(settings: Settings, variables: Variables = {}, signal?: Signal) {
  const warnings: string[] = [];
  const resolved = resolveOtlp(
    otlpSettings.parse(settings),
    (name) => variables[name.replace(/^OTEL_EXPORTER_OTLP_/, "")],
    (message) => warnings.push(message),
    signal,
  );
  return { resolved, warnings };
}

Deno.test("resolveOtlp() without settings and variables is protobuf to this host", () => {
  assert.deepEqual(resolve({}), {
    resolved: {
      protocol: "http/protobuf",
      url: "http://localhost:4318/v1/traces",
      headers: {},
      compression: "none",
      timeout: 10_000,
      tls: {
        caFile: undefined,
        certFile: undefined,
        keyFile: undefined,
        insecureSkipVerify: false,
      },
    },
    warnings: [],
  });
});

const URLS: readonly [settings: Settings, variables: Variables, url: string][] = [
  [{ endpoint: "http://h:1" }, {}, "http://h:1/v1/traces"],
  [{ endpoint: "http://h:1/" }, {}, "http://h:1/v1/traces"],
  [{ endpoint: "https://h/base/" }, {}, "https://h/base/v1/traces"],
  [{ endpoint: "https://h/base?x=1" }, {}, "https://h/base/v1/traces?x=1"],
  [{ traces_endpoint: "http://h:1/any" }, {}, "http://h:1/any"],
  [{ traces_endpoint: "http://h:1" }, {}, "http://h:1/"],
  [{ endpoint: "http://a", traces_endpoint: "http://b/x" }, {}, "http://b/x"],
  [{}, { ENDPOINT: "http://h:1" }, "http://h:1/v1/traces"],
  [{}, { ENDPOINT: " http://h:1 " }, "http://h:1/v1/traces"],
  [{}, { ENDPOINT: "" }, "http://localhost:4318/v1/traces"],
  [{}, { TRACES_ENDPOINT: "http://h:1/any" }, "http://h:1/any"],
  [{}, { ENDPOINT: "http://a", TRACES_ENDPOINT: "http://b/x" }, "http://b/x"],
  [{ endpoint: "http://c" }, { TRACES_ENDPOINT: "http://b/x" }, "http://c/v1/traces"],
  [{ protocol: "grpc" }, {}, "http://localhost:4317"],
  [{}, { PROTOCOL: "grpc" }, "http://localhost:4317"],
  [{ protocol: "grpc", endpoint: "https://h:1" }, {}, "https://h:1"],
  [{ protocol: "grpc", endpoint: "http://h" }, {}, "http://h"],
  [{ protocol: "grpc", endpoint: "h:1" }, {}, "https://h:1"],
  [{ protocol: "grpc", endpoint: "h:1" }, { INSECURE: "true" }, "http://h:1"],
  [{ protocol: "grpc", endpoint: "h:1" }, { INSECURE: "FALSE" }, "https://h:1"],
  [{ protocol: "grpc", endpoint: "https://h:1" }, { INSECURE: "true" }, "https://h:1"],
  [{ protocol: "grpc", endpoint: "localhost:1" }, {}, "http://localhost:1"],
  [{ protocol: "grpc", endpoint: "127.0.0.1:1" }, {}, "http://127.0.0.1:1"],
  [{ protocol: "grpc", endpoint: "[::1]:1" }, {}, "http://[::1]:1"],
  [{ protocol: "grpc", endpoint: "0.0.0.0:1" }, {}, "http://0.0.0.0:1"],
  [{ protocol: "grpc", endpoint: "jaeger.localhost:1" }, {}, "http://jaeger.localhost:1"],
  [{ protocol: "grpc", endpoint: "localhost.h:1" }, {}, "https://localhost.h:1"],
  [{ protocol: "grpc", endpoint: "127.h:1" }, {}, "https://127.h:1"],
  [{ protocol: "grpc", endpoint: "[2001:db8::1]:1" }, {}, "https://[2001:db8::1]:1"],
  [{ protocol: "grpc", endpoint: "localhost:1" }, { INSECURE: "false" }, "https://localhost:1"],
  [
    { protocol: "grpc", endpoint: "localhost:1", tls: { ca_file: "ca" } },
    {},
    "https://localhost:1",
  ],
  [{ protocol: "grpc", traces_endpoint: "http://h:1" }, {}, "http://h:1"],
  [{ protocol: "grpc" }, { ENDPOINT: "h:1", INSECURE: "true" }, "http://h:1"],
  [{ protocol: "grpc" }, { TRACES_ENDPOINT: "http://h:1", ENDPOINT: "http://x" }, "http://h:1"],
];

for (const [settings, variables, url] of URLS) {
  const given = `${JSON.stringify(settings)} and ${JSON.stringify(variables)}`;
  Deno.test(`resolveOtlp() sends to ${url} for ${given}`, () => {
    const { resolved, warnings } = resolve(settings, variables);
    assert.equal(resolved.url, url);
    assert.deepEqual(warnings, []);
  });
}

const METRICS_URLS: readonly [settings: Settings, variables: Variables, url: string][] = [
  [{}, {}, "http://localhost:4318/v1/metrics"],
  [{ endpoint: "https://h/base/" }, {}, "https://h/base/v1/metrics"],
  [{ traces_endpoint: "https://h/base/v1/traces?x=1" }, {}, "https://h/base/v1/metrics?x=1"],
  [{}, { ENDPOINT: "http://h:1" }, "http://h:1/v1/metrics"],
  [{}, { TRACES_ENDPOINT: "http://t:1/x", ENDPOINT: "http://h:1" }, "http://h:1/v1/metrics"],
  [{}, { METRICS_ENDPOINT: "http://m:1/any", ENDPOINT: "http://h:1" }, "http://m:1/any"],
  [{ protocol: "grpc" }, {}, "http://localhost:4317"],
  [{ protocol: "grpc", traces_endpoint: "http://h:1" }, {}, "http://h:1"],
  [{ protocol: "grpc" }, { METRICS_ENDPOINT: "http://m:1" }, "http://m:1"],
];

for (const [settings, variables, url] of METRICS_URLS) {
  const given = `${JSON.stringify(settings)} and ${JSON.stringify(variables)}`;
  Deno.test(`resolveOtlp() sends metrics to ${url} for ${given}`, () => {
    const { resolved, warnings } = resolve(settings, variables, "metrics");
    assert.equal(resolved.url, url);
    assert.deepEqual(warnings, []);
  });
}

Deno.test("resolveOtlp() uses the variables of metrics for metrics, and not those of traces", () => {
  const variables = { TRACES_TIMEOUT: "1", METRICS_TIMEOUT: "2", TRACES_HEADERS: "a=b" };
  const { resolved } = resolve({}, variables, "metrics");
  assert.deepEqual([resolved.timeout, resolved.headers], [2, {}]);
  assert.equal(resolve({}, variables).resolved.timeout, 1);
});

Deno.test("resolveOtlp() refuses metrics if their URL does not follow from that of traces", () => {
  assert.throws(
    () => resolve({ traces_endpoint: "http://h:1/any" }, {}, "metrics"),
    new UsageError(
      'cannot send metrics beside traces_endpoint: found "http://h:1/any": expected a path that ' +
        "ends in /v1/traces, or an endpoint",
    ),
  );
});

const VALUES: readonly [
  settings: Settings,
  variables: Variables,
  expected: Partial<ResolvedOtlp>,
][] = [
  [{}, { PROTOCOL: "http/json" }, { protocol: "http/json" }],
  [{}, { PROTOCOL: "http/json", TRACES_PROTOCOL: "grpc" }, { protocol: "grpc" }],
  [{ protocol: "http/json" }, { TRACES_PROTOCOL: "grpc" }, { protocol: "http/json" }],
  [{}, { COMPRESSION: "gzip" }, { compression: "gzip" }],
  [{}, { COMPRESSION: "gzip", TRACES_COMPRESSION: "none" }, { compression: "none" }],
  [{}, { COMPRESSION: "zstd" }, { compression: "zstd" }],
  [{ compression: "none" }, { COMPRESSION: "gzip" }, { compression: "none" }],
  [{}, { TIMEOUT: "1500" }, { timeout: 1500 }],
  [{}, { TIMEOUT: "1500", TRACES_TIMEOUT: "2500" }, { timeout: 2500 }],
  [{ timeout: "3s" }, { TRACES_TIMEOUT: "2500" }, { timeout: 3000 }],
  [{}, { HEADERS: "a=b" }, { headers: { a: "b" } }],
  [{}, { HEADERS: "a=b%20c, x-d = e=f ," }, { headers: { a: "b c", "x-d": "e=f" } }],
  [{}, { HEADERS: "a=b", TRACES_HEADERS: "c=d" }, { headers: { c: "d" } }],
  [{ headers: { c: "d" } }, { HEADERS: "a=b" }, { headers: { c: "d" } }],
  [{ headers: {} }, { HEADERS: "a=b" }, { headers: {} }],
  [{ headers: null }, { HEADERS: "a=b" }, { headers: { a: "b" } }],
];

for (const [settings, variables, expected] of VALUES) {
  const given = `${JSON.stringify(settings)} and ${JSON.stringify(variables)}`;
  Deno.test(`resolveOtlp() makes ${JSON.stringify(expected)} of ${given}`, () => {
    const { resolved, warnings } = resolve(settings, variables);
    assert.deepEqual({ ...resolved, ...expected }, resolved);
    assert.deepEqual(warnings, []);
  });
}

Deno.test("resolveOtlp() keeps the config's paths, and makes those of the environment absolute", () => {
  const { tls } = resolve(
    { tls: { ca_file: "ca.pem" } },
    { CERTIFICATE: "/other.pem", CLIENT_CERTIFICATE: "/cert.pem", TRACES_CLIENT_KEY: "key.pem" },
  ).resolved;
  assert.deepEqual(tls, {
    caFile: "ca.pem",
    certFile: "/cert.pem",
    keyFile: `${Deno.cwd()}/key.pem`,
    insecureSkipVerify: false,
  });
});

const HTTP_URL = "expected an http or https URL such as http://localhost:4318";

const IGNORED: readonly [
  variables: Variables,
  warning: string,
  expected: Partial<ResolvedOtlp>,
][] = [
  [
    { PROTOCOL: "thrift" },
    'ignoring OTEL_EXPORTER_OTLP_PROTOCOL: found "thrift": expected http/protobuf, http/json or grpc',
    { protocol: "http/protobuf" },
  ],
  [
    { TRACES_TIMEOUT: "10s", TIMEOUT: "500" },
    'ignoring OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: found "10s": expected milliseconds above zero',
    { timeout: 500 },
  ],
  [
    { TIMEOUT: "0" },
    'ignoring OTEL_EXPORTER_OTLP_TIMEOUT: found "0": expected milliseconds above zero',
    { timeout: 10_000 },
  ],
  [
    { COMPRESSION: "brotli" },
    'ignoring OTEL_EXPORTER_OTLP_COMPRESSION: found "brotli": expected none, gzip, zstd',
    { compression: "none" },
  ],
  [
    { PROTOCOL: "grpc", COMPRESSION: "zstd" },
    'ignoring OTEL_EXPORTER_OTLP_COMPRESSION: found "zstd": expected none, gzip',
    { compression: "none" },
  ],
  [
    { ENDPOINT: "localhost:4318" },
    `ignoring OTEL_EXPORTER_OTLP_ENDPOINT: found "localhost:4318": ${HTTP_URL}`,
    { url: "http://localhost:4318/v1/traces" },
  ],
  [
    { TRACES_ENDPOINT: "https//user:hunter2@h", ENDPOINT: "http://h" },
    `ignoring OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: found "***@h": ${HTTP_URL}`,
    { url: "http://h/v1/traces" },
  ],
  [
    { HEADERS: "authorization hunter2" },
    "ignoring OTEL_EXPORTER_OTLP_HEADERS: found something else: expected name=value,name=value",
    { headers: {} },
  ],
  [
    { HEADERS: "a=b%0ac" },
    "ignoring OTEL_EXPORTER_OTLP_HEADERS: found something else: expected name=value,name=value",
    { headers: {} },
  ],
  [
    { CLIENT_KEY: "/key.pem" },
    "ignoring the client certificate of the environment: found only one of " +
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY: expected both",
    {},
  ],
  [
    { PROTOCOL: "grpc", ENDPOINT: "h:1", INSECURE: "1" },
    'ignoring OTEL_EXPORTER_OTLP_INSECURE: found "1": expected true or false',
    { url: "https://h:1" },
  ],
  [
    { PROTOCOL: "grpc", ENDPOINT: "http://h:1/v1/traces" },
    'ignoring the path in the endpoint "http://h:1/v1/traces": grpc has none',
    { url: "http://h:1" },
  ],
];

for (const [variables, warning, expected] of IGNORED) {
  Deno.test(`resolveOtlp() warns of ${JSON.stringify(variables)}`, () => {
    const { resolved, warnings } = resolve({}, variables);
    assert.deepEqual(warnings, [warning]);
    assert.deepEqual({ ...resolved, ...expected }, resolved);
  });
}

const REFUSED: readonly [settings: Settings, variables: Variables, message: string][] = [
  [
    { compression: "zstd" },
    { PROTOCOL: "grpc" },
    'cannot use compression with grpc: found "zstd": expected none or gzip',
  ],
  [
    { tls: { cert_file: "c" } },
    {},
    "cannot use tls.cert_file: found no tls.key_file: expected both or neither",
  ],
  [
    { tls: { key_file: "k" } },
    {},
    "cannot use tls.key_file: found no tls.cert_file: expected both or neither",
  ],
];

for (const [settings, variables, message] of REFUSED) {
  const given = `${JSON.stringify(settings)} and ${JSON.stringify(variables)}`;
  Deno.test(`resolveOtlp() refuses ${given}`, () => {
    assert.throws(() => resolve(settings, variables), new UsageError(message));
  });
}

Deno.test("resolveOtlp() refuses a variable in which the path of a signal stands too often", () => {
  const base = "expected the URL without /v1/traces, which is added; " +
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT takes a whole one";
  const rows: readonly [name: string, value: string, expected: string][] = [
    ["ENDPOINT", "http://h:1/v1/traces", base],
    ["ENDPOINT", "http://h:1/v1/traces/", base],
    ["ENDPOINT", "http://h:1/base/v1/metrics", base],
    ["TRACES_ENDPOINT", "http://h:1/v1/traces/v1/traces", "expected /v1/traces once"],
  ];
  for (const [name, value, expected] of rows) {
    assert.throws(
      () => resolve({}, { [name]: value }),
      new UsageError(`cannot use OTEL_EXPORTER_OTLP_${name}: found "${value}": ${expected}`),
    );
    resolve({ protocol: "grpc" }, { [name]: "http://h:1" });
  }
});

Deno.test("resolveOtlp() takes any variables, and never shows what is in HEADERS", () => {
  const names = ["ENDPOINT", "PROTOCOL", "HEADERS", "COMPRESSION", "TIMEOUT", "INSECURE"]
    .flatMap((name) => [name, `TRACES_${name}`]);
  const variables = fc.dictionary(fc.constantFrom(...names), fc.string());
  fc.assert(fc.property(variables, (values) => {
    const { resolved } = resolve({}, values);
    assert(URL.canParse(resolved.url));
    const { warnings } = resolve({}, { HEADERS: `hunter2 ${values["HEADERS"] ?? ""}` });
    assert(!warnings.join().includes("hunter2"));
  }));
});
