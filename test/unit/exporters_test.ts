/** The sums over an exporter's queues: the removed one, and the next with the same id. */
import assert from "node:assert/strict";
import * as z from "zod";
import { exporterTypes } from "../../exporters/registry.ts";
import type { ExporterType } from "../../src/exporter.ts";
import { NO_FLAGS } from "../../src/run/flags.ts";
import { compareSettings } from "../../src/run/changes.ts";
import { Exporters, type OpenedExporters } from "../../src/run/exporters.ts";
import { effectiveSettings, type RunSettings } from "../../src/run/settings.ts";
import { BUSY, FakeExporter, sleep, SUCCESS, until } from "../fake_exporter.ts";
import { sessions } from "../spool.ts";
import { makeTempFolder } from "../temp_folder.ts";

const NOTHING_STALE = { exporters: new Set<string>(), telemetry: false };

const DEFAULTS = effectiveSettings(NO_FLAGS, undefined, { env: () => undefined, exporterTypes });

/** Its exporters take `taken` batches of 10, then are busy; their settings are a folder. */
function makeType(taken: { batches: number }): ExporterType<string> {
  return {
    type: "fake",
    summary: "",
    sendsSpans: false,
    loadSchema: () => Promise.resolve(z.string()),
    loadExample: () => Promise.resolve(""),
    queue: (folder) => ({
      queueSize: 10,
      whenFull: "drop_newest",
      consumers: 1,
      batchSize: 10,
      linger: 0,
      retry: { initialInterval: 60_000, maxInterval: 60_000, maxElapsedTime: 0 },
      storage: { folder, persistent: true, maxBytes: 2 ** 20 },
    }),
    open: () => Promise.resolve(new FakeExporter(() => taken.batches-- > 0 ? SUCCESS : BUSY)),
  };
}

/** A run whose exporter `a`, in `folder`, has taken 20 of 100 sessions. */
async function start(folder: string) {
  const taken = { batches: 2 };
  const type = makeType(taken) as ExporterType<unknown>;
  const settings = (exporters: Readonly<Record<string, string>>): RunSettings => ({
    ...DEFAULTS,
    shutdownTimeout: 1000,
    exporters: Object.entries(exporters).map(([id, settings]) => ({ id, type, settings })),
  });
  let now = settings({ a: "first" });
  const context = { baseDirectory: folder, env: () => undefined, stop: () => {} };
  const exporters = new Exporters(now, context, new AbortController().signal);
  const open = (next: RunSettings) =>
    exporters.open(next, compareSettings(now, exporters.running, next, NOTHING_STALE));
  const use = async (opened: OpenedExporters) => {
    await exporters.start(opened, new AbortController().signal);
    exporters.use(opened);
  };
  await use(await exporters.open(now));
  exporters.queues[0]?.push(sessions(1, 100));
  await until(() => exporters.stats[0]?.counters.exported === 20);
  await sleep(0); // until these are no longer under way
  return {
    taken,
    exporters,
    open: (next: Readonly<Record<string, string>>) => open(settings(next)),
    async reload(next: Readonly<Record<string, string>>) {
      await use(await open(settings(next)));
      now = settings(next);
    },
    /** The sums of `a`, which must account for every session. */
    get sums() {
      const [stats] = exporters.stats;
      assert.ok(stats !== undefined);
      const { accepted, restored, exported, failed, dropped, corrupt } = stats.counters;
      const waiting = stats.length + stats.inFlight;
      assert.equal(accepted + restored, exported + failed + dropped + corrupt + waiting);
      return { accepted, restored, exported, waiting };
    },
  };
}

Deno.test("what a removed exporter left on disk counts once when it comes back", async () => {
  await using folder = await makeTempFolder();
  const run = await start(folder.path);
  await run.reload({});
  await run.reload({ a: "first" });
  assert.deepEqual(run.sums, { accepted: 100, restored: 0, exported: 20, waiting: 80 });
  await run.reload({});
  run.taken.batches = Infinity;
  await run.reload({ a: "first" });
  await until(() => run.exporters.stats[0]?.counters.exported === 100);
  await sleep(0); // until it is no longer under way
  assert.deepEqual(run.sums, { accepted: 100, restored: 0, exported: 100, waiting: 0 });
  await run.exporters.close(1000);
  assert.equal(run.exporters.stats[0]?.diskBytes, 0);
});

Deno.test("what it left on disk is still reported when it comes back in another folder", async () => {
  await using folder = await makeTempFolder();
  const run = await start(folder.path);
  await run.reload({});
  await run.reload({ a: "second" });
  assert.deepEqual(run.sums, { accepted: 100, restored: 0, exported: 20, waiting: 80 });
  await run.exporters.close(1000);
});

Deno.test("what it left on disk counts once when a reload that fails brings it back", async () => {
  await using folder = await makeTempFolder();
  const run = await start(folder.path);
  await run.reload({});
  run.taken.batches = 3;
  const opened = await run.open({ a: "first" });
  await run.exporters.start(opened, new AbortController().signal);
  await run.exporters.discard(opened);
  assert.deepEqual(run.sums, { accepted: 100, restored: 0, exported: 50, waiting: 50 });
  await run.reload({ a: "first" });
  assert.deepEqual(run.sums, { accepted: 100, restored: 0, exported: 50, waiting: 50 });
  await run.exporters.close(1000);
});

Deno.test("an exporter gets what an earlier run left on disk once it has started, not before", async () => {
  await using folder = await makeTempFolder();
  const run = await start(folder.path);
  await run.reload({});
  run.taken.batches = Infinity;
  const opened = await run.open({ a: "first" });
  await sleep(20); // a queue that runs would deliver now
  await run.exporters.discard(opened);
  assert.deepEqual(run.sums, { accepted: 100, restored: 0, exported: 20, waiting: 80 });
  await run.reload({ a: "first" });
  await until(() => run.exporters.stats[0]?.counters.exported === 100);
  await run.exporters.close(1000);
});
