/** Users' own exporters, which the config names as a module: declared by a type and open(). */
import assert from "node:assert/strict";
import { join } from "node:path";
import { moduleExporter } from "../../exporters/module/module.ts";
import { moduleSettings } from "../../exporters/module/settings.ts";
import type { Exporter } from "../../src/library/exporter.ts";
import { openForeign } from "../../src/library/foreign_exporter.ts";
import { UsageError } from "../../src/messages/errors.ts";
import { makeContext } from "../exporter_context.ts";
import { makeBatch } from "../fixtures.ts";
import { makeTempFolder, type TempFolder } from "../temp_folder.ts";

const NEVER = new AbortController().signal;

/** What the modules of these tests leave for the tests to look at. */
declare global {
  var seen: unknown[];
}

/** Opens the exporter that `source` exports as `mine`. */
async function open(folder: TempFolder, source: string, options: Record<string, unknown> = {}) {
  await Deno.writeTextFile(join(folder.path, "mine.js"), source);
  const settings = moduleSettings.parse({ module: "./mine.js", export: "mine", options });
  const context = makeContext("mine/1", folder.path);
  return { exporter: await moduleExporter.open(settings, context), context };
}

/** An exporter whose exports do as `act`, and may take `timeoutMs` milliseconds. */
async function openThat(act: Exporter["export"], timeoutMs?: number) {
  const type = { type: "that", open: () => ({ export: act }) };
  return await openForeign(type, {}, makeContext("that", "."), undefined, timeoutMs);
}

Deno.test("a module's exporter type gets options, a context and batches, and returns outcomes", async () => {
  await using folder = await makeTempFolder();
  globalThis.seen = [];
  const { exporter, context } = await open(
    folder,
    `export const mine = {
      type: "mine",
      async open(options, { id, baseDirectory, openSpans, warn }) {
        const spans = await openSpans();
        warn("open");
        return {
          start: () => seen.push("started"),
          lookAnew: () => seen.push("looked anew"),
          export(batch) {
            for (const session of batch) {
              const { traceId } = spans.idsOf(session);
              seen.push([options, id, baseDirectory, session.comm, "moveTo" in session, traceId]);
            }
            return { status: "success", rejected: 1, message: "one is too old" };
          },
          shutdown: () => seen.push("shut down"),
        };
      },
    };`,
    { threshold: 5 },
  );
  assert.equal(exporter.destination, "./mine.js");
  await exporter.start?.(NEVER);
  exporter.lookAnew?.();
  const outcome = await exporter.export(makeBatch({ owner_comm: "curl" }), NEVER);
  assert.deepEqual(outcome, { status: "success", rejected: 1, message: "one is too old" });
  await exporter.shutdown();
  const [started, lookedAnew, session, shutDown] = globalThis.seen;
  assert.deepEqual([started, lookedAnew, shutDown], ["started", "looked anew", "shut down"]);
  assert.ok(Array.isArray(session));
  assert.deepEqual(session.slice(0, 5), [
    { threshold: 5 },
    "mine/1",
    folder.path,
    "curl",
    false,
  ]);
  assert.match(session[5], /^[0-9a-f]{32}$/);
  assert.deepEqual(context.warnings, ["open"]);
});

Deno.test("a class can be an exporter type by its static members", async () => {
  await using folder = await makeTempFolder();
  const { exporter } = await open(
    folder,
    `export class mine {
      static type = "mine";
      static open = () => new mine();
      async export() { return { status: "retryable", reason: "busy", retryAfterMs: 50, done: 1 }; }
    }`,
  );
  assert.deepEqual(await exporter.export(makeBatch({}), NEVER), {
    status: "retryable",
    reason: "busy",
    retryAfterMs: 50,
    done: 1,
  });
  await exporter.shutdown();
});

Deno.test("after its outcome a batch cannot be read any more", async () => {
  await using folder = await makeTempFolder();
  globalThis.seen = [];
  const { exporter } = await open(
    folder,
    `export const mine = {
      type: "mine",
      open: () => ({
        export(batch) {
          seen.push(batch.at(0));
          return { status: "success" };
        },
      }),
    };`,
  );
  await exporter.export(makeBatch({}), NEVER);
  const [session] = globalThis.seen;
  assert.throws(() => (session as { comm: string }).comm, /^TypeError: .*given up.*toObject\(\)/);
  await exporter.shutdown();
});

const MISBEHAVIOURS = [
  { code: "null", reason: 'export() gave null: expected an outcome such as { status: "success" }' },
  {
    code: '{ status: "done" }',
    reason: 'export() gave { status: "done" }: expected an outcome such as { status: "success" }',
  },
  { code: '(() => { throw new Error("no room") })()', reason: "no room" },
  { code: 'Promise.reject(new Error("no room"))', reason: "no room" },
  { code: '{ status: "failure", reason: "no room" }', reason: "no room" },
  { code: '{ status: "failure", reason: new Error("no room") }', reason: "no room" },
  { code: '{ status: "failure", delivered: -1 }', reason: "the exporter gave no reason" },
];
for (const { code, reason } of MISBEHAVIOURS) {
  Deno.test(`an export() that returns ${code} is a failure: ${reason}`, async () => {
    await using folder = await makeTempFolder();
    const { exporter } = await open(
      folder,
      `export const mine = { type: "mine", open: () => ({ export: () => (${code}) }) };`,
    );
    const outcome = await exporter.export(makeBatch({}), NEVER);
    assert.deepEqual(outcome, { status: "failure", reason });
    await exporter.shutdown();
  });
}

for (
  const { given, taken } of [
    { given: { rejected: NaN }, taken: {} },
    { given: { rejected: -1 }, taken: {} },
    { given: { rejected: 0.5 }, taken: {} },
    { given: { rejected: 2 }, taken: { rejected: 2 } },
  ]
) {
  Deno.test(`a success with ${Deno.inspect(given)} counts sessions that there can be`, async () => {
    const exporter = await openThat(() => ({ status: "success", ...given }));
    assert.deepEqual(await exporter.export(makeBatch({}), NEVER), { status: "success", ...taken });
  });
}

for (
  const { given, taken } of [
    { given: NaN, taken: {} },
    { given: -1, taken: {} },
    { given: 0.5, taken: { retryAfterMs: 0.5 } },
    { given: Infinity, taken: { retryAfterMs: 2 ** 31 - 1 } },
  ]
) {
  Deno.test(`retryAfterMs ${given} is a time that a timer can wait, or none`, async () => {
    const reason = "busy";
    const exporter = await openThat(() => ({ status: "retryable", reason, retryAfterMs: given }));
    const outcome = await exporter.export(makeBatch({}), NEVER);
    assert.deepEqual(outcome, { status: "retryable", reason, ...taken });
  });
}

Deno.test("what start() throws names the exporter, what lookAnew() throws ends nothing", async () => {
  const context = makeContext("that/1", ".");
  const act = () => {
    throw new Error("no server");
  };
  const type = { type: "that", open: () => ({ start: act, lookAnew: act, export: act }) };
  const exporter = await openForeign(type, {}, context);
  await assert.rejects(
    async () => await exporter.start?.(NEVER),
    /^HostError: cannot start that\/1: no server$/,
  );
  exporter.lookAnew?.();
  assert.deepEqual(context.warnings, ["cannot look anew: no server"]);
});

Deno.test("an export that takes too long is one to try again, and its signal aborts", async () => {
  const aborted = Promise.withResolvers<void>();
  const exporter = await openThat((_batch, signal) => {
    signal.addEventListener("abort", () => aborted.resolve());
    return new Promise(() => {});
  }, 20);
  assert.deepEqual(await exporter.export(makeBatch({}), NEVER), {
    status: "retryable",
    reason: "no answer within 0.02 s",
  });
  await aborted.promise;
});

Deno.test("an export that the end of the run cuts off is retryable: it may have been taken", async () => {
  await using folder = await makeTempFolder();
  const { exporter } = await open(
    folder,
    `export const mine = { type: "mine", open: () => ({ export: () => new Promise(() => {}) }) };`,
  );
  assert.deepEqual(await exporter.export(makeBatch({}), AbortSignal.abort()), {
    status: "retryable",
    reason: "stopped before it had answered",
  });
  await exporter.shutdown();
});

for (
  const { code, message } of [
    {
      code: '() => { throw new TypeError("threshold is missing: expected a number") }',
      message: "cannot open mine: threshold is missing: expected a number",
    },
    {
      code: "() => ({ close() {} })",
      message: "cannot open mine: open() of mine gave { close: [Function: close] }: " +
        "expected an object with export()",
    },
  ]
) {
  Deno.test(`an open() that fails is a UsageError with its place: ${message}`, async () => {
    await using folder = await makeTempFolder();
    await assert.rejects(
      open(folder, `export const mine = { type: "mine", open: ${code} };`),
      (error) => {
        assert.ok(error instanceof UsageError);
        assert.equal(error.message, `exporters.mine/1.options: ${message}`);
        return true;
      },
    );
  });
}
