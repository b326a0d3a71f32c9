import { Ajv2020 } from "ajv/dist/2020.js";
import assert from "node:assert/strict";
import { parse } from "yaml";
import { exporterTypes } from "../../exporters/registry.ts";
import { loadExample } from "../../src/config/example.ts";
import { configJsonSchema, type JsonSchema } from "../../src/config/json_schema.ts";
import { loadSchemas } from "../../src/config/load.ts";

const EXAMPLE = await loadExample(exporterTypes);
const schema = configJsonSchema(await loadSchemas(exporterTypes));
const validate = new Ajv2020({ strictTypes: false, allErrors: true }).compile(schema);

function check(yaml: string): string[] {
  if (validate(parse(yaml))) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

const GOOD: readonly [name: string, yaml: string][] = [
  ["the example", EXAMPLE],
  ["an exporter without settings", "exporters: { stdout: }"],
  ["empty sections", "{ capture: , resource: , trace: , exporters: { otlp: } }"],
  ["nothing below otlp's sections", "exporters: { otlp: { tls: , sending_queue: , headers: } }"],
  ["references", 'exporters: { otlp/a: { timeout: "${env:N:-5}s", protocol: "${env:P}" } }'],
  ["a reference for a number", '{ exporters: { stdout: }, capture: { pids: ["${env:PID}"] } }'],
  ["a reference for a boolean", 'exporters: { stdout: { time: "${env:T}" } }'],
  ["any id with a module", "exporters: { otlp/x: { module: m, export: E, options: { a: 1 } } }"],
  ["interim: off", "{ exporters: { stdout: }, capture: { interim: off } }"],
  ["interim reports", "{ exporters: { stdout: }, capture: { interim: 30s } }"],
  ["a ratio", "{ exporters: { stdout: }, sampling: { ratio: 0.1, keep_errors: true } }"],
  ["privileges dropped", "{ exporters: { stdout: }, drop_privileges: true }"],
  ["nothing below sampling", "{ exporters: { stdout: }, sampling: }"],
  ["a shutdown timeout", "{ exporters: { stdout: }, shutdown_timeout: 30s }"],
  ["attributes", "{ exporters: { stdout: }, resource: { attributes: { a: 1, b: [c] } } }"],
];

for (const [name, yaml] of GOOD) {
  Deno.test(`the JSON Schema takes ${name}`, () => assert.deepEqual(check(yaml), []));
}

const BAD: readonly [name: string, yaml: string][] = [
  ["a config without exporters", "capture: {}"],
  ["no exporter", "exporters: {}"],
  ["an unknown key", "{ exporters: { stdout: }, colour: red }"],
  ["an unknown key of an exporter", "exporters: { otlp: { endpont: x } }"],
  ["an unknown key of a queue", "exporters: { otlp: { sending_queue: { size: 1 } } }"],
  ["an unknown exporter type", "exporters: { jaeger: { endpoint: x } }"],
  ["a file without a path", "exporters: { file: }"],
  ["a module without an export", "exporters: { zipkin: { module: m } }"],
  ["a port above 65535", "{ exporters: { stdout: }, capture: { local_ports: [70000] } }"],
  ["a shutdown timeout without a unit", "{ exporters: { stdout: }, shutdown_timeout: 30 }"],
  ["a duration without a unit", "exporters: { otlp: { timeout: 10 } }"],
  ["a size without a unit", "{ exporters: { stdout: }, capture: { ring_buffer: 16 } }"],
  ["the ratio 0", "{ exporters: { stdout: }, sampling: { ratio: 0 } }"],
  ["an unknown format", "exporters: { stdout: { format: xml } }"],
  ["interim: on", "{ exporters: { stdout: }, capture: { interim: true } }"],
];

for (const [name, yaml] of BAD) {
  Deno.test(`the JSON Schema refuses ${name}`, () => assert.notDeepEqual(check(yaml), []));
}

/** Every key's path and schema. */
function* keys(at: unknown, path = ""): Generator<[path: string, schema: JsonSchema]> {
  if (typeof at !== "object" || at === null) return;
  for (const [name, value] of Object.entries(at)) {
    if (name === "properties" || name === "patternProperties") {
      for (const [key, schema] of Object.entries(value as Record<string, JsonSchema>)) {
        yield [`${path}.${key}`, schema];
        yield* keys(schema, `${path}.${key}`);
      }
    } else if (name === "then" || name === "else") {
      yield* keys(value, path);
    }
  }
}

Deno.test("the JSON Schema describes every key", () => {
  const bare = [...keys(schema)].filter(([, { description }]) => typeof description !== "string");
  assert.deepEqual(bare.map(([path]) => path), []);
});

Deno.test("the example mentions every key that the JSON Schema has", () => {
  const names = [...keys(schema)].map(([path]) => path.slice(path.lastIndexOf(".") + 1))
    .filter((name) => /^\w+$/.test(name));
  assert.deepEqual(names.filter((name) => !EXAMPLE.includes(name)), []);
});

Deno.test("the example fits 100 columns", () => {
  assert.deepEqual(EXAMPLE.split("\n").filter((line) => line.length > 100), []);
});

Deno.test("the JSON Schema is plain data", () => {
  assert.deepEqual(JSON.parse(JSON.stringify(schema)), schema);
});
