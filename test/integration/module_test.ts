/** Foreign SpanExporters: Zipkin's with a real Jaeger, and one that fails in the background. */
import type { HrTime } from "@opentelemetry/api";
import assert from "node:assert/strict";
import { join } from "node:path";
import { moduleExporter } from "../../exporters/module/module.ts";
import { moduleSettings } from "../../exporters/module/settings.ts";
import { startJaeger } from "../backends/jaeger.ts";
import { makeContext } from "../exporter_context.ts";
import { makeBatch } from "../fixtures.ts";
import { toTestSpan } from "../otlp_spans.ts";
import { makeTempFolder } from "../temp_folder.ts";

const NEVER = new AbortController().signal;
const ROOT = new URL("../../", import.meta.url);
const ZIPKIN = "npm:@opentelemetry/exporter-zipkin@3.1.0";

function microseconds([seconds, ns]: HrTime): number {
  return seconds * 1e6 + ns / 1e3;
}

Deno.test("Zipkin's exporter delivers every span to Jaeger, times right to the microsecond", async () => {
  await using jaeger = await startJaeger();
  const settings = moduleSettings.parse({
    module: ZIPKIN,
    export: "ZipkinExporter",
    options: { url: jaeger.zipkin },
  });
  const exporter = await moduleExporter.open(settings, makeContext("zipkin", "/"));
  const batch = makeBatch(...Array.from({ length: 100 }, (_, i) => ({ owner_pid: i + 1 })));
  assert.deepEqual(await exporter.export(batch, NEVER), { status: "success" });
  await exporter.shutdown();

  const received = [
    ...await jaeger.waitForSpans("curl", 50),
    ...await jaeger.waitForSpans("näginx", 50),
  ];
  const expected = new Map(
    Array.from(batch, toTestSpan).map((span) => [span.spanContext().spanId, span]),
  );
  assert.equal(received.length, expected.size);
  for (const got of received) {
    const span = expected.get(got.spanId) ?? assert.fail(`unknown span ${got.spanId}`);
    const failed = span.status.message !== undefined;
    assert.equal(got.traceId, span.spanContext().traceId);
    assert.equal(got.parentSpanId, span.parentSpanContext?.spanId);
    assert.equal(got.name, span.name);
    assert.equal(got.startUs, Math.floor(microseconds(span.startTime)));
    assert.equal(got.durationUs, Math.round(microseconds(span.duration)));
    assert.equal(got.tags["span.kind"], failed ? "server" : "client");
    assert.equal(got.tags["tcpspan.tx.bytes"], "1000");
    assert.equal(got.tags["error"], failed ? true : undefined);
    assert.deepEqual(
      got.events.map(({ timeUs }) => timeUs),
      span.events.map(({ time }) => Math.floor(microseconds(time))),
    );
  }
});

Deno.test("Zipkin's exporter without a server is a failure with its reason", async () => {
  const settings = moduleSettings.parse({
    module: ZIPKIN,
    export: "ZipkinExporter",
    options: { url: "http://127.0.0.1:1/api/v2/spans" },
  });
  const exporter = await moduleExporter.open(settings, makeContext("zipkin", "/"));
  const outcome = await exporter.export(makeBatch({}), NEVER);
  await exporter.shutdown();
  assert.equal(outcome.status, "failure");
  assert.match("reason" in outcome ? outcome.reason : "", /ECONNREFUSED/);
});

/** The program of a test: opens `./exporter.ts` in a folder, exports, waits, shuts down. */
const PROGRAM = `
  const [folder] = Deno.args;
  const root = ${JSON.stringify(ROOT.href)};
  const { moduleExporter } = await import(root + "exporters/module/module.ts");
  const { moduleSettings } = await import(root + "exporters/module/settings.ts");
  const { makeContext } = await import(root + "test/exporter_context.ts");
  const { makeBatch } = await import(root + "test/fixtures.ts");
  const context = makeContext("mine", folder);
  const settings = moduleSettings.parse({ module: "./exporter.ts", export: "MyExporter" });
  const exporter = await moduleExporter.open(settings, context);
  await exporter.export(makeBatch({}), new AbortController().signal);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await exporter.shutdown();
  console.log(JSON.stringify(context.warnings));
`;

const FAULTS = [
  { name: "a timer", code: 'setTimeout(() => { throw new Error("lost the key"); });' },
  { name: "a rejected promise", code: 'Promise.reject(new Error("lost the key"));' },
  { name: "a rejection without an error", code: 'Promise.reject("lost the key");' },
  {
    name: "a socket",
    code: 'connect(1, "127.0.0.1");',
    message: /connect ECONNREFUSED 127\.0\.0\.1:1$/,
  },
];
/** Runs PROGRAM with an exporter whose export() starts with `code`. */
async function runWith(code: string) {
  await using folder = await makeTempFolder();
  await Deno.writeTextFile(
    join(folder.path, "exporter.ts"),
    `import { connect } from "node:net";
     import { SessionBatch } from ${JSON.stringify(new URL("src/session/batch.ts", ROOT).href)};
     export class MyExporter {
       export(spans, done) { ${code} done({ code: 0 }); }
       shutdown() { return Promise.resolve([connect, SessionBatch]); }
     }`,
  );
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", PROGRAM, folder.path],
    cwd: ROOT,
  }).output();
  const decoder = new TextDecoder();
  return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

for (const { name, code, message = /lost the key$/ } of FAULTS) {
  Deno.test(`an exporter's uncaught error does not end the program: ${name}`, async () => {
    const { success, stdout, stderr } = await runWith(code);
    assert.ok(success, stderr);
    const [warning = "", ...others]: string[] = JSON.parse(stdout);
    assert.deepEqual(others, []);
    assert.match(warning, /^uncaught error in the background, 1 so far: /);
    assert.match(warning, message);
  });
}

Deno.test("an uncaught error of the program's own still ends it", async () => {
  const { success, stderr } = await runWith(
    "setTimeout(() => new SessionBatch(new Uint8Array(1)));",
  );
  assert.ok(!success);
  assert.match(stderr, /cannot make a batch: 1 bytes/);
});
