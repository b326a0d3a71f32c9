/** Values, keys and names that people bring from other tools: a hint says what is meant. */
import assert from "node:assert/strict";
import { exporterTypes } from "../../exporters/registry.ts";
import { loadSchemas, parseConfig } from "../../src/config/load.ts";
import { UsageError } from "../../src/messages/errors.ts";

const schemas = await loadSchemas(exporterTypes);
const STDOUT = "exporters: { stdout: }\n";

function parse(text: string) {
  return parseConfig(text, { file: "f", env: () => undefined, schemas });
}

/** What the first problem of a config says before `expected`. */
function hint(text: string): string {
  try {
    parse(text);
  } catch (error) {
    assert.ok(error instanceof UsageError);
    const [, found = ""] = /: (did you mean .*\?|[^:]*;) expected /.exec(error.message) ?? [];
    return found;
  }
  assert.fail("no problem was found");
}

/** What is found, and what is meant; empty if nobody can know. */
type Table = readonly (readonly [found: string, meant: string])[];

const SIZES: Table = [
  ["1GB", '"1GiB"'],
  ["1 GB", '"1GiB"'],
  ["1g", '"1GiB"'],
  ["16Mi", '"16MiB"'],
  ["16mib", '"16MiB"'],
  ["100M", '"128MiB"'], // a power of two
  ["1048576", '"1MiB"'],
  ["1TB", ""],
  ["-1", ""],
];
const DURATIONS: Table = [
  ["10 s", '"10s"'],
  ["10S", '"10s"'],
  ["10sec", '"10s"'],
  ["1min", '"1m"'],
  ["1 hour", '"1h"'],
  ["1d", '"24h"'],
  ["PT10S", '"10s"'],
  ["1 h 30 m", '"1h30m"'],
  ["500", '"500s"'],
  ["100us", ""],
  ["60d", ""], // more than a timer can wait
];
const BOOLEANS: Table = [
  ["yes", "true"],
  ["on", "true"],
  ["'true'", "true"],
  ["1", "true"],
  ["no", "false"],
  ["off", "false"],
  ["maybe", ""],
];
const LISTS: Table = [
  ["80", "[80]"],
  ["80-90", '["80-90"]'],
  ["'80,443'", "[80, 443]"],
  ["[90-80]", '"80-90"'],
  ["[80:90]", '"80-90"'],
  ["['443']", "443"],
  ["[http]", ""],
  ["[80-65536]", ""],
];
const PROTOCOLS: Table = [
  ["http", '"http/protobuf"'],
  ["HTTP/protobuf", '"http/protobuf"'],
  ["gRPC", '"grpc"'],
  ["json", '"http/json"'],
  ["thrift", ""],
];
const SHARES: Table = [["10%", "0.1"], ["10", "0.1"], ["0", ""]];

const VALUES: readonly [config: string, table: Table][] = [
  [`${STDOUT}capture: { ring_buffer: VALUE }\n`, SIZES],
  [`${STDOUT}shutdown_timeout: VALUE\n`, DURATIONS],
  [`${STDOUT}drop_privileges: VALUE\n`, BOOLEANS],
  [`${STDOUT}capture:\n  local_ports: VALUE\n`, LISTS],
  [`exporters: { otlp: { protocol: VALUE } }\n`, PROTOCOLS],
  [`${STDOUT}sampling: { ratio: VALUE }\n`, SHARES],
  [`${STDOUT}capture: { interim: VALUE }\n`, [["no", '"off"'], ["30", '"30s"'], ["true", ""]]],
  [`exporters: { otlp: { sending_queue: VALUE } }\n`, [["false", "{ enabled: false }"]]],
  [`exporters: { otlp: { retry_on_failure: VALUE } }\n`, [["false", "{ enabled: false }"]]],
  ["exporters: VALUE\n", [["[otlp]", "{ otlp: {} }"], ["otlp", "{ otlp: {} }"]]],
  // no secret is repeated
  ["exporters: { otlp: { headers: { a: VALUE } } }\n", [["123456", ""]]],
  [`${STDOUT}trace: { key: VALUE }\n`, [["123456", ""]]],
];

for (const [config, table] of VALUES) {
  for (const [found, meant] of table) {
    Deno.test(`${config.trim().split("\n").at(-1)}: ${found} may mean ${meant || "anything"}`, () => {
      const expected = meant === "" ? "" : `did you mean ${meant}?`;
      assert.equal(hint(config.replace("VALUE", () => found)), expected);
    });
  }
}

const KEYS: readonly [config: string, hint: string][] = [
  ["exporters: { otlp: { tls: { ca: x } } }", 'did you mean "ca_file"?'],
  ["exporters: { otlp: { tls: { cert: x } } }", 'did you mean "cert_file"?'],
  ["exporters: { otlp: { tls.ca_file: x } }", 'did you mean "tls: { ca_file: … }"?'],
  ["exporters: { otlp: { url: x } }", 'did you mean "endpoint"?'],
  ["exporters: { otlp: { sending-queue: {} } }", 'did you mean "sending_queue"?'],
  ["exporters: { otlp: { retry: {} } }", 'did you mean "retry_on_failure"?'],
  ["exporters: { stdout: { Format: csv } }", 'did you mean "format"?'],
  [`${STDOUT}capture: { localPorts: [80] }`, 'did you mean "local_ports"?'],
  [`${STDOUT}capture: { local-ports: [80] }`, 'did you mean "local_ports"?'],
  [`${STDOUT}sampling: { rate: 0.1 }`, 'did you mean "ratio"?'],
  [`${STDOUT}endpoint: http://h`, "did you mean it under exporters.otlp?"],
  [`${STDOUT}local_ports: [80]`, "did you mean it under capture?"],
  [`${STDOUT}ratio: 0.1`, "did you mean it under sampling?"],
  [`${STDOUT}path: x`, "did you mean it under exporters.file?"],
  ["exporters: { otlphttp: }", 'did you mean "otlp"?'],
  ["exporters: { otlp_http/a: }", 'did you mean "otlp"?'],
  ["exporters: { otlpgrpc: }", 'did you mean "otlp" with protocol: grpc?'],
  ["exporters: { OTLP: }", 'did you mean "otlp"?'],
  ["exporters: { logging: }", 'did you mean "stdout"?'],
  ["exporters: { debug: }", 'did you mean "stdout"?'],
  ["exporters: { console: }", 'did you mean "stdout"?'],
  ["exporters: { json: }", 'did you mean "stdout" with format: json?'],
  ["exporters: { prometheus: }", "did you mean it under telemetry?"],
  ["exporters: { fileexporter: }", 'did you mean "file"?'],
  ["exporters: { constructor: }", ""],
];

for (const [config, expected] of KEYS) {
  Deno.test(`${config.trim().split("\n").at(-1)}: ${expected || "no hint"}`, () => {
    assert.equal(hint(config), expected);
  });
}

Deno.test("keys of the Collector that no key here replaces get advice", () => {
  for (const config of ["tls: { insecure: true }", "insecure: true", "tls.insecure: true"]) {
    assert.throws(
      () => parse(`exporters: { otlp: { ${config} } }`),
      /unknown key: an endpoint that begins with http:\/\/ is not encrypted; insecure_skip_verify/,
    );
  }
  for (const key of ["service", "receivers", "processors", "extensions"]) {
    assert.throws(() => parse(`${STDOUT}${key}: {}`), /unknown key: there are no pipelines: /);
  }
});

Deno.test("ranges of ports are all their ports, each once", () => {
  const ports = (list: string) =>
    parse(`${STDOUT}capture: { local_ports: ${list} }`).capture.local_ports;
  assert.deepEqual(ports("[80-82, 81, 443]"), [80, 81, 82, 443]);
  assert.deepEqual(ports("[80-80]"), [80]);
  assert.equal(ports("[1-65535]").length, 65535);
});

for (const path of ["~/spans.jsonl", "$HOME/spans.jsonl", "$HOME", "~"]) {
  Deno.test(`the path ${path} is refused, because no shell expands it`, () => {
    assert.throws(
      () => parse(`exporters: { file: { path: "${path}" } }`),
      /expected the path of a file, in which ~ and \$NAME do not expand, but \$\{env:NAME\} does/,
    );
  });
}

Deno.test("a path may hold ~ and $ elsewhere", () => {
  for (const path of ["a~", "~a/b", "a/$b", "./$HOME"]) {
    parse(`exporters: { file: { path: "${path}" } }`);
  }
});
