/** Users' own exporters, which the config names as a module: declared by a type and open(). */
import assert from "node:assert/strict";
import { join } from "node:path";
import { moduleExporter } from "../../exporters/module/module.ts";
import { moduleSettings } from "../../exporters/module/settings.ts";
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
      async export() { return { status: "retryable", reason: "busy", retryAfterMs: 50 }; }
    }`,
  );
  assert.deepEqual(await exporter.export(makeBatch({}), NEVER), {
    status: "retryable",
    reason: "busy",
    retryAfterMs: 50,
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
