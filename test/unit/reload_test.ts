import assert from "node:assert/strict";
import * as z from "zod";
import { exporterTypes } from "../../exporters/registry.ts";
import type { Capture } from "../../src/capture/capture.ts";
import { HostError, UsageError } from "../../src/messages/errors.ts";
import type { Exporter, ExporterType, QueueSettings } from "../../src/exporter.ts";
import { NO_FLAGS } from "../../src/run/flags.ts";
import { Exporters } from "../../src/run/exporters.ts";
import { Metrics } from "../../src/run/metrics.ts";
import { Reloader } from "../../src/run/reload.ts";
import { effectiveSettings, type RunSettings } from "../../src/run/settings.ts";

/** An exporter type that counts what is opened and shut down; an exporter's settings are a number. */
class CountingType implements ExporterType<unknown> {
  readonly type: string = "counting";
  readonly summary = "";
  readonly sendsSpans = false;
  opened = 0;
  shutDown = 0;
  loadSchema = () => Promise.resolve(z.unknown());
  loadExample = () => Promise.resolve("");
  queueSize = 1;
  shutdown = () => Promise.resolve();
  queue = (): QueueSettings => ({
    queueSize: this.queueSize,
    whenFull: "drop_newest",
    consumers: 1,
    batchSize: 1,
    linger: 0,
    retry: undefined,
  });
  open = (): Promise<Exporter> => {
    this.opened++;
    return Promise.resolve({
      export: () => Promise.resolve({ status: "success" }),
      shutdown: () => {
        this.shutDown++;
        return this.shutdown();
      },
    });
  };
}

const DEFAULTS = effectiveSettings(NO_FLAGS, undefined, { env: () => undefined, exporterTypes });

/** A run with one exporter, and a reloader of it. */
async function start(
  reconfigure: (...args: Parameters<Capture["reconfigure"]>) => Promise<void>,
  type = new CountingType(),
  base: Partial<RunSettings> = {},
) {
  const settings = (
    ids: readonly string[],
    own: number,
    capture: Partial<RunSettings["capture"]> = {},
  ): RunSettings => ({
    ...DEFAULTS,
    ...base,
    capture: { ...DEFAULTS.capture, ...capture },
    shutdownTimeout: 1000,
    exporters: ids.map((id) => ({ id, type, settings: own })),
  });
  const first = settings(["a"], 1);
  const stop = new AbortController();
  const context = { baseDirectory: "/", env: () => undefined, stop: () => stop.abort() };
  const exporters = new Exporters(first, context, new AbortController().signal);
  exporters.use(await exporters.open(first));
  let next = first;
  let reads = 0;
  const reloader = new Reloader(first, {
    file: "f.yaml",
    readSettings: () => {
      reads++;
      return Promise.resolve(next);
    },
    exporters,
    metrics: new Metrics({ baseDirectory: "/", env: () => undefined }),
    stop: stop.signal,
  });
  reloader.begin({
    reconfigure: async (...args) => {
      await reconfigure(...args);
      return [];
    },
  });
  return {
    type,
    settings,
    first,
    stop,
    exporters,
    reloader,
    get reads() {
      return reads;
    },
    reload: (settings: RunSettings) => {
      next = settings;
      reloader.request();
    },
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

Deno.test("a stop ends a reload whose capture never answers; nothing of the reload takes effect", async () => {
  const { type, settings, first, stop, exporters, reloader, reload } = await start(
    () => new Promise(() => {}),
  );
  const [queue] = exporters.queues;
  reload(settings(["a", "b"], 2, { localPorts: [1] }));
  await sleep(20);
  assert.equal(type.opened, 3);
  stop.abort();
  await reloader.end();
  assert.equal(reloader.settings, first);
  assert.deepEqual(exporters.queues, [queue]);
  assert.equal(type.shutDown, 2);
  await exporters.close(1000);
  assert.deepEqual([type.opened, type.shutDown], [3, 3]);
});

Deno.test("a capture that cannot change stays, and the rest changes", async () => {
  const { type, settings, exporters, reloader, reload } = await start(
    () => Promise.reject(new HostError("no such luck")),
  );
  reload(settings(["a", "b"], 2, { localPorts: [1] }));
  await reloader.end();
  assert.deepEqual(reloader.settings, settings(["a", "b"], 2));
  assert.deepEqual(exporters.queues.map(({ id }) => id), ["a", "b"]);
  await exporters.close(1000);
  assert.equal(type.opened, type.shutDown, "also what was opened for the first try");
});

Deno.test("requests that come during a reload cause one more reload, of the latest config", async () => {
  const gate = Promise.withResolvers<void>();
  const run = await start(() => gate.promise);
  run.reload(run.settings(["a"], 1, { localPorts: [1] }));
  await sleep(5);
  for (const port of [2, 3, 4]) run.reload(run.settings(["a"], 1, { localPorts: [port] }));
  gate.resolve();
  await run.reloader.end();
  assert.equal(run.reads, 2);
  assert.deepEqual(run.reloader.settings.capture.localPorts, [4]);
  assert.equal(run.type.opened, 1, "an exporter that is as before is not opened again");
  await run.exporters.close(1000);
});

Deno.test("an exporter that comes back with a larger queue has the new size, also while the old queue drains", async () => {
  const { type, settings, exporters, reloader, reload } = await start(() => Promise.resolve());
  const go = Promise.withResolvers<void>();
  type.shutdown = () => go.promise;
  const sizes = () => exporters.stats.map(({ id, capacity }) => [id, capacity]);
  reload(settings(["b"], 1));
  await reloader.end();
  type.queueSize = 2;
  reload(settings(["a", "b"], 1));
  await reloader.end();
  assert.deepEqual(sizes(), [["a", 2], ["b", 1]]);
  go.resolve();
  await sleep(5); // the old queue has drained
  assert.deepEqual(sizes(), [["a", 2], ["b", 1]]);
  await exporters.close(1000);
});

class StdoutType extends CountingType {
  readonly output = 1;
  broken = false;
  override open = (): Promise<Exporter> =>
    Promise.resolve({
      export: () => Promise.resolve({ status: "success" }),
      shutdown: () => Promise.resolve(),
      start: () => this.broken ? Promise.reject(new UsageError("broken")) : Promise.resolve(),
    });
}

Deno.test("stdout's reader is watched while an exporter writes there, and at no other time", async () => {
  const outputs: (number | undefined)[] = [];
  const type = new StdoutType();
  const run = await start((_, output) => {
    outputs.push(output);
    return Promise.resolve();
  }, type);
  const { reload, reloader, settings } = run;
  const none = settings([], 1);
  for (const next of [none, none, settings(["a", "b"], 1), settings(["b"], 2)]) {
    reload(next);
    await reloader.end();
  }
  assert.deepEqual(outputs, [undefined, 1], "once each time that it changes");
  reload(settings(["b"], 2, { localPorts: [1] }));
  await reloader.end();
  assert.deepEqual(outputs, [undefined, 1, 1], "and with other options");
  reload(none);
  await reloader.end();
  type.broken = true;
  reload(settings(["a"], 1));
  await reloader.end();
  assert.deepEqual(outputs.slice(3), [undefined, 1, undefined], "as before, where a reload fails");
  await run.exporters.close(1000);
});

Deno.test("a capture that cannot change is asked once, also if stdout is added", async () => {
  let asked = 0;
  const run = await start(() => {
    asked++;
    return Promise.reject(new HostError("no such luck"));
  }, new StdoutType());
  run.reload(run.settings([], 1));
  await run.reloader.end();
  assert.equal(asked, 1);
  assert.deepEqual(run.exporters.queues, []);
  await run.exporters.close(1000);
});

Deno.test("stdout does not change if no program can be loaded any more", async () => {
  let asked = 0;
  const run = await start(
    () => {
      asked++;
      return Promise.resolve();
    },
    new StdoutType(),
    { dropPrivileges: true },
  );
  run.reload(run.settings([], 1));
  await run.reloader.end();
  assert.equal(asked, 0);
  assert.deepEqual(run.exporters.queues, []);
  await run.exporters.close(1000);
});

Deno.test("no reload starts once the run must end", async () => {
  const { settings, first, stop, exporters, reloader, reload } = await start(
    () => Promise.resolve(),
  );
  stop.abort();
  reload(settings(["b"], 1));
  await reloader.end();
  assert.equal(reloader.settings, first);
  await exporters.close(1000);
});
