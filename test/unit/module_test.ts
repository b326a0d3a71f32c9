import type { HrTime } from "@opentelemetry/api";
import type { ExportResult } from "@opentelemetry/core";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { UsageError } from "../../src/messages/errors.ts";
import type { ExportOutcome } from "../../src/exporter.ts";
import { ModuleExporter } from "../../exporters/module/exporter.ts";
import { moduleExporter } from "../../exporters/module/module.ts";
import { moduleUrl } from "../../exporters/module/load.ts";
import { moduleSettings } from "../../exporters/module/settings.ts";
import { toWholeMicroseconds } from "../../exporters/module/span.ts";
import { makeContext } from "../exporter_context.ts";
import { makeBatch, makeSession } from "../fixtures.ts";
import { toTestSpan } from "../otlp_spans.ts";
import { makeTempFolder } from "../temp_folder.ts";

const NEVER = new AbortController().signal;
const TIMEOUT_MS = 50;

Deno.test("moduleUrl() keeps URLs and treats everything else as a path", () => {
  const CASES = [
    ["npm:@opentelemetry/exporter-zipkin@3.1.0", "npm:@opentelemetry/exporter-zipkin@3.1.0"],
    ["jsr:@scope/name@1", "jsr:@scope/name@1"],
    ["https://example.com/exporter.ts", "https://example.com/exporter.ts"],
    ["node:http", "node:http"],
    ["./exporter.ts", "file:///etc/tcpspan/exporter.ts"],
    ["../exporter.ts", "file:///etc/exporter.ts"],
    ["exporter.ts", "file:///etc/tcpspan/exporter.ts"],
    ["/opt/exporter.ts", "file:///opt/exporter.ts"],
    ["file:///opt/exporter.ts", "file:///opt/exporter.ts"],
    ["file:./exporter.ts", "file:///etc/tcpspan/exporter.ts"],
  ] as const;
  for (const [module, url] of CASES) assert.equal(moduleUrl(module, "/etc/tcpspan"), url);
});

/** A span with the times of `start`, `duration` and an event `event` later, all nanoseconds. */
function makeSpan(start: bigint, duration: bigint, event: bigint): ReadableSpan {
  const hrTime = (ns: bigint): HrTime => [Number(ns / 10n ** 9n), Number(ns % 10n ** 9n)];
  return {
    ...toTestSpan(makeSession()),
    startTime: hrTime(start),
    endTime: hrTime(start + duration),
    duration: hrTime(duration),
    events: [{ name: "tcpspan.established", time: hrTime(start + event) }],
  };
}

function nanoseconds([seconds, ns]: HrTime): bigint {
  assert.ok(Number.isInteger(ns) && ns >= 0 && ns < 1e9, `${ns} ns`);
  return BigInt(seconds) * 10n ** 9n + BigInt(ns);
}

Deno.test("toWholeMicroseconds() rounds the start down and the duration to the nearest", () => {
  const CASES = [
    { start: 1_000_000_999n, duration: 1_499n, wantStart: 1_000_000_000n, wantDuration: 1_000n },
    { start: 1_000_000_001n, duration: 1_500n, wantStart: 1_000_000_000n, wantDuration: 2_000n },
    { start: 999_999_999n, duration: 0n, wantStart: 999_999_000n, wantDuration: 0n },
    { start: 1_000n, duration: 999_999_500n, wantStart: 1_000n, wantDuration: 10n ** 9n },
    { start: 999_999_000n, duration: 1_000n, wantStart: 999_999_000n, wantDuration: 1_000n },
  ];
  for (const { start, duration, wantStart, wantDuration } of CASES) {
    const span = toWholeMicroseconds(makeSpan(start, duration, 0n));
    assert.equal(nanoseconds(span.startTime), wantStart);
    assert.equal(nanoseconds(span.duration), wantDuration);
    assert.equal(nanoseconds(span.endTime), wantStart + wantDuration);
  }
});

Deno.test("toWholeMicroseconds() keeps all times whole, in order, and within a microsecond", () => {
  const ns = fc.bigInt({ min: 0n, max: 4n * 10n ** 18n });
  const property = fc.property(ns, ns, ns, (start, duration, eventAt) => {
    const event = eventAt % (duration + 1n);
    const before = makeSpan(start, duration, event);
    const span = toWholeMicroseconds(before);
    const times = [span.startTime, span.events[0]?.time ?? [0, 0], span.endTime].map(nanoseconds);
    const original = [start, start + event, start + duration];
    for (const [index, time] of times.entries()) {
      assert.equal(time % 1000n, 0n);
      const off = time - (original[index] ?? 0n);
      assert.ok(off > -2000n && off <= 1000n, `${off} ns off`);
    }
    assert.deepEqual(times, times.toSorted((a, b) => a < b ? -1 : a > b ? 1 : 0));
    assert.equal(
      nanoseconds(span.endTime),
      nanoseconds(span.startTime) + nanoseconds(span.duration),
    );
    assert.equal(span.spanContext().spanId, before.spanContext().spanId);
    assert.equal(span.resource, before.resource);
  });
  fc.assert(property);
});

/** A SpanExporter that answers with `answer`, and keeps what it got. */
function makeExporter(answer: SpanExporter["export"], others: Partial<SpanExporter> = {}) {
  const received: ReadableSpan[] = [];
  const exporter: SpanExporter = {
    export(spans, done) {
      received.push(...spans);
      return answer(spans, done);
    },
    shutdown: () => Promise.resolve(),
    ...others,
  };
  return { exporter, received };
}

Deno.test("a batch reaches the SpanExporter as spans on whole microseconds", async () => {
  const { exporter, received } = makeExporter((_, done) => done({ code: 0 }));
  const module = new ModuleExporter(exporter, makeContext("mine", "/"));
  const batch = makeBatch({ owner_pid: 2 }, { owner_pid: 3 });
  assert.deepEqual(await module.export(batch, NEVER), { status: "success" });
  await module.shutdown();
  const ids = received.map((span) => span.spanContext().spanId);
  assert.deepEqual(ids, Array.from(batch, (session) => toTestSpan(session).spanContext().spanId));
  for (const span of received) assert.equal(span.startTime[1] % 1000, 0);
});

Deno.test("an empty batch never reaches the SpanExporter", async () => {
  const { exporter } = makeExporter(() => assert.fail("called"));
  const module = new ModuleExporter(exporter, makeContext("mine", "/"));
  assert.deepEqual(await module.export(makeBatch(), NEVER), {
    status: "success",
    message: "loaded; its endpoint was not asked",
  });
  await module.shutdown();
});

const MISBEHAVIOURS: { name: string; answer: SpanExporter["export"]; reason: string }[] = [
  {
    name: "throws what has no text",
    answer: () => {
      throw Object.create(null);
    },
    reason: "something that is neither an error nor text",
  },
  {
    name: "reports a failure",
    answer: (_, done) => done({ code: 1, error: new Error("Got unexpected status code: 400") }),
    reason: "Got unexpected status code: 400",
  },
  {
    name: "reports a failure without a reason",
    answer: (_, done) => done({ code: 1 }),
    reason: "the exporter gave no reason",
  },
  {
    name: "calls back with nothing",
    answer: (_, done) => (done as (result?: ExportResult) => void)(),
    reason: "the exporter gave no reason",
  },
  {
    name: "throws",
    answer: () => {
      throw new Error("no such host.\n  a second line");
    },
    reason: "no such host",
  },
  {
    name: "throws what is not an error",
    answer: () => {
      throw "plain text";
    },
    reason: "plain text",
  },
  {
    name: "rejects",
    answer: () => Promise.reject(new Error("no such host")) as unknown as void,
    reason: "no such host",
  },
  {
    name: "returns an outcome, as tcpspan's own exporters do",
    answer: () => ({ status: "success" }) as unknown as void,
    reason: 'export() gave { status: "success" }, but a SpanExporter calls back: ' +
      "to give outcomes, export an exporter type: see docs/library.md",
  },
  {
    name: "resolves to an outcome",
    answer: () => Promise.resolve({ status: "failure" }) as unknown as void,
    reason: 'export() gave { status: "failure" }, but a SpanExporter calls back: ' +
      "to give outcomes, export an exporter type: see docs/library.md",
  },
  {
    name: "calls back with an outcome",
    answer: (_, done) => done({ status: "success" } as unknown as ExportResult),
    reason: 'export() called back with { status: "success" }: ' +
      "expected { code: 0 }, or { code: 1, error }",
  },
  {
    name: "calls back with an error, as Node's functions do",
    answer: (_, done) => done(new Error("boom") as unknown as ExportResult),
    reason: "export() called back with Error: boom: expected { code: 0 }, or { code: 1, error }",
  },
  {
    name: "calls back with true",
    answer: (_, done) => done(true as unknown as ExportResult),
    reason: "export() called back with true: expected { code: 0 }, or { code: 1, error }",
  },
  {
    name: "gives a failure, and does not call back",
    answer: () => Promise.resolve({ code: 1, error: new Error("busy") }) as unknown as void,
    reason: "busy",
  },
  { name: "never calls back", answer: () => {}, reason: "no answer within 0.05 s" },
  {
    name: "resolves to nothing, and does not call back",
    answer: () => Promise.resolve() as unknown as void,
    reason: "no answer within 0.05 s",
  },
  {
    name: "gives something else, and does not call back",
    answer: () => ({ ok: "x".repeat(200) }) as unknown as void,
    reason: `no answer within 0.05 s: export() gave { ok: "${"x".repeat(93)}…, and no callback`,
  },
];
for (const { name, answer, reason } of MISBEHAVIOURS) {
  Deno.test(`a SpanExporter that ${name} is a failure`, async () => {
    const { exporter } = makeExporter(answer);
    const module = new ModuleExporter(exporter, makeContext("mine", "/"), TIMEOUT_MS);
    assert.deepEqual(await module.export(makeBatch({}), NEVER), { status: "failure", reason });
    await module.shutdown();
  });
}

for (const given of [{ code: 0 }, Promise.resolve({ code: 0 })]) {
  const how = given instanceof Promise ? "resolves to" : "gives";
  Deno.test(`a SpanExporter that ${how} its result, and does not call back, has delivered`, async () => {
    const { exporter } = makeExporter(() => given as unknown as void);
    const module = new ModuleExporter(exporter, makeContext("mine", "/"));
    assert.deepEqual(await module.export(makeBatch({}), NEVER), { status: "success" });
    await module.shutdown();
  });
}

Deno.test("a SpanExporter may give something, and call back later", async () => {
  const { exporter } = makeExporter((_, done) =>
    setTimeout(done, 1, { code: 0 }) as unknown as void
  );
  const module = new ModuleExporter(exporter, makeContext("mine", "/"));
  assert.deepEqual(await module.export(makeBatch({}), NEVER), { status: "success" });
  await module.shutdown();
});

Deno.test("a SpanExporter that calls back twice, or late, does no harm", async () => {
  let callBack: ((result: ExportResult) => void) | undefined;
  const { exporter } = makeExporter((_, done) => {
    callBack?.({ code: 1 });
    callBack = done;
    done({ code: 0 });
    done({ code: 1 });
  });
  const module = new ModuleExporter(exporter, makeContext("mine", "/"), TIMEOUT_MS);
  for (let i = 0; i < 2; i++) {
    assert.deepEqual(await module.export(makeBatch({}), NEVER), { status: "success" });
  }
  await module.shutdown();
});

Deno.test("the signal ends the wait for a SpanExporter", async () => {
  const failure: ExportOutcome = { status: "failure", reason: "stopped before it had answered" };
  const { exporter } = makeExporter(() => {});
  const module = new ModuleExporter(exporter, makeContext("mine", "/"));
  const abort = new AbortController();
  const outcome = module.export(makeBatch({}), abort.signal);
  abort.abort();
  assert.deepEqual(await outcome, failure);
  assert.deepEqual(await module.export(makeBatch({}), abort.signal), failure);
  await module.shutdown();
});

Deno.test("shutdown() flushes first if the SpanExporter can", async () => {
  const calls: string[] = [];
  const { exporter } = makeExporter(() => {}, {
    forceFlush: () => Promise.resolve(void calls.push("forceFlush")),
    shutdown: () => Promise.resolve(void calls.push("shutdown")),
  });
  const context = makeContext("mine", "/");
  await new ModuleExporter(exporter, context).shutdown();
  assert.deepEqual(calls, ["forceFlush", "shutdown"]);
  assert.deepEqual(context.warnings, []);
});

const BAD_ENDS: { name: string; others: Partial<SpanExporter>; warning: string }[] = [
  {
    name: "fails to flush",
    others: { forceFlush: () => Promise.reject(new Error("disk full")) },
    warning: "disk full",
  },
  {
    name: "throws at its end",
    others: {
      shutdown: () => {
        throw new Error("not now");
      },
    },
    warning: "not now",
  },
];
for (const { name, others, warning } of BAD_ENDS) {
  Deno.test(`a SpanExporter that ${name} is a warning, and the program continues`, async () => {
    const { exporter } = makeExporter(() => {}, others);
    const context = makeContext("mine", "/");
    await new ModuleExporter(exporter, context).shutdown();
    assert.deepEqual(context.warnings, [`cannot shut down: ${warning}`]);
  });
}

Deno.test("there is one export at a time, as the specification promises a SpanExporter", () => {
  const settings = moduleSettings.parse({ module: "./x.ts", export: "X" });
  assert.equal(moduleExporter.queue(settings).consumers, 1);
});

const MODULE = `
  export class FileExporter { constructor(options) { this.options = options }
    export(spans, done) { globalThis.testOptions = this.options; done({ code: 0 }); }
    async shutdown() {} }
  export class Recorder { export() {} async shutdown() {} }
  export class HalfExporter { export() {} }
  export class PickyExporter { constructor({ url }) { new URL(url); } export() {} shutdown() {} }
  export class Helper {}
  export const VERSION = "1";
`;

Deno.test("a module's class gets the options of the config", async () => {
  await using folder = await makeTempFolder();
  await Deno.writeTextFile(join(folder.path, "exporter.js"), MODULE);
  const options = { url: "http://localhost:1", headers: { a: "b" } };
  const exporter = await moduleExporter.open(
    moduleSettings.parse({ module: "./exporter.js?key=secret", export: "FileExporter", options }),
    makeContext("mine", folder.path),
  );
  assert.equal(exporter.destination, "./exporter.js");
  assert.deepEqual(await exporter.export(makeBatch({}), NEVER), { status: "success" });
  assert.deepEqual(Reflect.get(globalThis, "testOptions"), options);
  await exporter.shutdown();
});

const CLASS = "class { export(_, done) { done({ code: 0 }); } async shutdown() {} }";
const LOADABLE = [
  { name: "the default export", file: "a.js", text: `export default ${CLASS};` },
  { name: "all of a CommonJS module", file: "a.cjs", text: `module.exports = ${CLASS};` },
  {
    name: "the default export of a module that was compiled to CommonJS",
    file: "b.cjs",
    text: "Object.defineProperty(exports, '__esModule', { value: true });\n" +
      `const all = { default: ${CLASS} }; Object.assign(exports, all);`,
  },
  {
    name: "a function that makes it",
    file: "b.js",
    text: `const Made = ${CLASS}; export default function make() { return new Made(); }`,
  },
  {
    name: "one whose constructor gives a promise",
    file: "c.js",
    text: `const Made = ${CLASS};
      export default class { constructor() { return Promise.resolve(new Made()); } }`,
  },
];
for (const { name, file, text } of LOADABLE) {
  Deno.test(`the exporter may be ${name}`, async () => {
    await using folder = await makeTempFolder();
    await Deno.writeTextFile(join(folder.path, file), text);
    const exporter = await moduleExporter.open(
      moduleSettings.parse({ module: `./${file}`, export: "default" }),
      makeContext("mine", folder.path),
    );
    assert.deepEqual(await exporter.export(makeBatch({}), NEVER), { status: "success" });
    await exporter.shutdown();
  });
}

Deno.test("the class may be an export of a CommonJS module", async () => {
  await using folder = await makeTempFolder();
  await Deno.writeTextFile(
    join(folder.path, "exporter.cjs"),
    "const make = (name) => ({ [name]: class { export() {} async shutdown() {} } });\n" +
      'module.exports = make("Hidden" + "Exporter");',
  );
  const exporter = await moduleExporter.open(
    moduleSettings.parse({ module: "./exporter.cjs", export: "HiddenExporter" }),
    makeContext("mine", folder.path),
  );
  await exporter.shutdown();
});

Deno.test("a module or export that cannot be used is an error that says what to do", async (t) => {
  await using folder = await makeTempFolder();
  await Deno.writeTextFile(join(folder.path, "exporter.js"), MODULE);
  await Deno.writeTextFile(join(folder.path, "nothing.js"), "export const VERSION = 1;");
  await Deno.writeTextFile(join(folder.path, "arrow.js"), "export const make = () => ({});");
  await Deno.writeTextFile(join(folder.path, "throws.js"), 'throw new Error("no license.");');
  await Deno.writeTextFile(
    join(folder.path, "lines.js"),
    'throw new Error("\\x1b[31mno license\\x1b[0m.\\n\\x1b[1mask for one\\x1b[0m\\n");',
  );
  await Deno.writeTextFile(join(folder.path, "wrong.ts"), "const a = ;");
  await Deno.writeTextFile(join(folder.path, "imports.ts"), 'import "./nowhere.ts";');
  const CASES = [
    {
      module: "./missing.ts",
      export: "X",
      message: `module: cannot load ./missing.ts: Module not found "file://FOLDER/missing.ts"`,
    },
    {
      module: "@scope/exporter",
      export: "X",
      message: `module: cannot load @scope/exporter: Module not found ` +
        `"file://FOLDER/@scope/exporter"; for a package write npm:@scope/exporter`,
    },
    {
      module: "node:nothing",
      export: "X",
      message: "module: cannot load node:nothing: No such built-in module: node:nothing",
    },
    {
      module: "http://",
      export: "X",
      message: "module: cannot load http://: Invalid URL: 'http://' with base 'file://FOLDER/'",
    },
    {
      module: "./throws.js",
      export: "X",
      message: "module: cannot load ./throws.js: no license",
    },
    {
      module: "./lines.js",
      export: "X",
      message: "module: cannot load ./lines.js: no license\n  ask for one",
    },
    {
      module: "./wrong.ts",
      export: "X",
      message: "module: cannot load ./wrong.ts: SyntaxError: Expression expected\n" +
        "    |\n  1 | const a = ;\n    |           ~\n  in file://FOLDER/wrong.ts:1:11",
    },
    {
      module: "./imports.ts",
      export: "X",
      message: 'module: cannot load ./imports.ts: Module not found "file://FOLDER/nowhere.ts"\n' +
        "  in file://FOLDER/imports.ts:1:8",
    },
    {
      module: "./exporter.js",
      export: "PickExporter",
      message: "export: ./exporter.js exports no PickExporter; " +
        "its exporters: PickyExporter, FileExporter, HalfExporter, Recorder",
    },
    {
      module: "./exporter.js",
      export: "VERSION",
      message:
        "export: ./exporter.js exports VERSION, which is neither a class nor has a type and open(); " +
        "its exporters: FileExporter, HalfExporter, PickyExporter, Recorder",
    },
    {
      module: "./arrow.js",
      export: "make",
      message:
        "export: ./arrow.js exports make, which is neither a class nor has a type and open(); " +
        "it exports nothing that looks like an exporter",
    },
    {
      module: "./nothing.js",
      export: "X",
      message: "export: ./nothing.js exports no X; it exports nothing that looks like an exporter",
    },
    {
      module: "./exporter.js",
      export: "HalfExporter",
      message: "export: HalfExporter of ./exporter.js is not a SpanExporter: " +
        "it lacks export() or shutdown(); its exporters: FileExporter, PickyExporter, Recorder",
    },
    {
      module: "./exporter.js",
      export: "PickyExporter",
      message: "options: cannot make a PickyExporter: Invalid URL: 'undefined'",
    },
  ];
  for (const { message, ...settings } of CASES) {
    await t.step(`${settings.module} ${settings.export}`, async () => {
      await assert.rejects(
        moduleExporter.open(
          moduleSettings.parse(settings),
          makeContext("zipkin/mine", folder.path),
        ),
        (error) => {
          assert.ok(error instanceof UsageError);
          assert.equal(
            error.message,
            `exporters.zipkin/mine.${message.replaceAll("FOLDER", folder.path)}`,
          );
          return true;
        },
      );
    });
  }
});
