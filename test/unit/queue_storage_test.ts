/** A queue with a place on disk. */
import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { type Clock, systemClock } from "../../src/clock.ts";
import { UsageError } from "../../src/messages/errors.ts";
import type { Exporter, ExportOutcome, QueueSettings } from "../../src/exporter.ts";
import type { QueueCounters } from "../../src/queue/counters.ts";
import { openQueue } from "../../src/queue/open.ts";
import type { ExporterQueue } from "../../src/queue/queue.ts";
import { BUSY, FakeExporter, SUCCESS, until } from "../fake_exporter.ts";
import { ManualClock, settled } from "../manual_clock.ts";
import {
  crash,
  drain,
  EXPORTER,
  FOLDER,
  openSpool,
  pidRange,
  segments,
  sessions,
} from "../spool.ts";
import { makeMemoryFolder, makeTempFolder } from "../temp_folder.ts";

const MIB = 2 ** 20;

const SETTINGS: QueueSettings = {
  queueSize: 20,
  consumers: 1,
  batchSize: 10,
  linger: 0,
  whenFull: "drop_newest",
  retry: { initialInterval: 60_000, maxInterval: 60_000, maxElapsedTime: 0 },
};

const LOOK_MS = 1000; // between looks for a spool's file, and before a disk that failed is tried again

const DISK_LATER = { folder: ".", persistent: false, maxBytes: MIB };
const DISK_FIRST = { folder: ".", persistent: true, maxBytes: MIB };

/** The queue of `EXPORTER` below `folder`, its clock, and what it says. */
async function open(
  folder: string,
  exporter: Exporter,
  settings: Partial<QueueSettings>,
) {
  const clock = new ManualClock();
  return { ...await openWith(clock, folder, exporter, settings), clock };
}

/** The same with another clock. */
async function openWith(
  clock: Clock,
  folder: string,
  exporter: Exporter,
  settings: Partial<QueueSettings>,
) {
  const warnings: string[] = [];
  const information: string[] = [];
  const shown = (message: string) => message.replaceAll(join(folder, FOLDER), "SPOOL");
  const queue = await openQueue({
    id: EXPORTER,
    exporter,
    settings: { ...SETTINGS, ...settings },
    baseDirectory: folder,
    warn: (message) => warnings.push(shown(message)),
    inform: (message) => information.push(shown(message)),
    clock,
  });
  queue.start();
  return { queue, warnings, information };
}

/** Every session is accounted for. */
function check({ counters, length, inFlight }: ExporterQueue): void {
  const { accepted, restored, exported, failed, dropped, corrupt } = counters;
  assert.equal(accepted + restored, exported + failed + dropped + corrupt + length + inFlight);
}

const busy = () => new FakeExporter(() => BUSY);
const taking = () => new FakeExporter(() => SUCCESS);

/** What a queue that was closed has left in `folder`. */
async function left(folder: string): Promise<number[]> {
  await using opened = openSpool(folder, { maxBytes: MIB });
  return drain(opened.spool);
}

Deno.test("memory first: what does not fit into memory waits on disk, and all is delivered", async () => {
  await using folder = await makeTempFolder();
  const go = Promise.withResolvers<void>();
  const exporter = new FakeExporter(() => go.promise.then(() => SUCCESS));
  const { queue, warnings } = await open(folder.path, exporter, { storage: DISK_LATER });
  queue.push(sessions(1, 10));
  await until(() => queue.inFlight === 10);
  queue.push(sessions(11, 20)); // all that memory has room for
  assert.equal(queue.diskBytes, 0);
  queue.push(sessions(31, 500));
  assert.deepEqual([queue.length, queue.counters.dropped], [520, 0]);
  assert.ok(queue.diskBytes > 500 * 288);
  assert.equal(queue.diskLimit, DISK_LATER.maxBytes);
  check(queue);
  go.resolve();
  await until(() => queue.counters.exported === 530);
  assert.deepEqual(exporter.delivered.toSorted((a, b) => a - b), pidRange(1, 530));
  // in turn, each in its order
  assert.deepEqual(exporter.delivered.slice(0, 40), [
    ...pidRange(1, 10),
    ...pidRange(31, 10),
    ...pidRange(11, 10),
    ...pidRange(41, 10),
  ]);
  await queue.close(1000);
  check(queue);
  assert.deepEqual([segments(folder.path), queue.diskBytes, warnings], [[], 0, []]);
});

Deno.test("persistent: a session is on disk when push() returns, until it was delivered", async () => {
  await using folder = await makeTempFolder();
  const go = Promise.withResolvers<void>();
  const exporter = new FakeExporter(() => go.promise.then(() => SUCCESS));
  const { queue } = await open(folder.path, exporter, { storage: DISK_FIRST, consumers: 3 });
  queue.push(sessions(1, 50));
  for (const state of ["pushed", "under way", "delivered"]) {
    await using other = await makeTempFolder();
    crash(folder.path, other.path);
    assert.deepEqual(await left(other.path), state === "delivered" ? [] : pidRange(1, 50), state);
    if (state === "pushed") await until(() => queue.inFlight === 30);
    else {
      go.resolve();
      await until(() => queue.counters.exported === 50);
    }
  }
  await queue.close(1000);
});

const GIVEN_UP: readonly [name: string, outcome: ExportOutcome][] = [
  ["was refused", { status: "failure", reason: "no" }],
  ["was partly rejected", { status: "success", rejected: 3 }],
];

for (const [name, outcome] of GIVEN_UP) {
  Deno.test(`persistent: what ${name} gives up its place on disk`, async () => {
    await using folder = await makeTempFolder();
    const { queue } = await open(folder.path, new FakeExporter(() => outcome), {
      storage: DISK_FIRST,
    });
    queue.push(sessions(1, 10));
    await until(() => queue.counters.failed > 0);
    await using other = await makeTempFolder();
    crash(folder.path, other.path);
    assert.deepEqual(await left(other.path), []);
    await queue.close(1000);
    check(queue);
    assert.deepEqual(segments(folder.path), []);
  });
}

Deno.test("persistent: what is tried again until maxElapsedTime gives up its place on disk", async () => {
  await using folder = await makeTempFolder();
  const retry = { initialInterval: 1, maxInterval: 1, maxElapsedTime: 20 };
  const { queue, clock } = await open(folder.path, busy(), { storage: DISK_FIRST, retry });
  queue.push(sessions(1, 10));
  await clock.advance(20);
  assert.equal(queue.counters.failed, 10);
  await queue.close(1000);
  assert.deepEqual(segments(folder.path), []);
});

for (const storage of [DISK_LATER, DISK_FIRST]) {
  const name = storage.persistent ? "persistent" : "memory first";

  Deno.test(`${name}: close() leaves a dead destination's sessions on disk, at once`, async () => {
    await using folder = await makeTempFolder();
    const dead = busy();
    const before = await open(folder.path, dead, { storage, consumers: 2 });
    before.queue.push(sessions(1, 100));
    await until(() => before.queue.inFlight === 20);
    await settled();
    await before.queue.close(60_000);
    assert.equal(before.clock.now(), 0);
    assert.deepEqual([before.queue.length, before.queue.inFlight], [100, 0]);
    assert.equal(dead.exports.length, 2); // there was no further try
    check(before.queue);
    assert.deepEqual(before.warnings, [
      storage.persistent
        ? `${EXPORTER}: busy; trying again, sessions are kept, up to 1MiB in SPOOL`
        : `${EXPORTER}: busy; trying again, up to 20 sessions are kept in memory, then up to 1MiB ` +
          "in SPOOL",
    ]);

    const exporter = taking();
    const after = await open(folder.path, exporter, { storage });
    assert.equal(after.queue.counters.restored, 100);
    await after.queue.close(5000);
    assert.deepEqual(exporter.delivered.toSorted((a, b) => a - b), pidRange(1, 100));
    check(after.queue);
    assert.deepEqual(after.warnings, []);
    assert.deepEqual(after.information, [
      `${EXPORTER}: 100 sessions of an earlier run are in SPOOL`,
    ]);
    assert.deepEqual(segments(folder.path), []);
  });

  Deno.test(`${name}: the first refusal after close() leaves the rest on disk`, async () => {
    await using folder = await makeTempFolder();
    const exporter = new FakeExporter((attempt) => attempt === 1 ? SUCCESS : BUSY);
    const { queue } = await open(folder.path, exporter, { storage });
    queue.push(sessions(1, 50));
    await queue.close(60_000);
    assert.equal(exporter.exports.length, 2);
    assert.deepEqual([queue.length, queue.counters.exported], [40, 10]);
    check(queue);
    assert.equal((await left(folder.path)).length, 40);
  });

  Deno.test(`${name}: what a destination has not answered within close()'s time stays on disk`, async () => {
    for (
      const answer of [
        () => new Promise<ExportOutcome>(() => {}),
        (_: number, signal: AbortSignal) =>
          new Promise<ExportOutcome>((resolve) => {
            const failure = { status: "failure", reason: "stopped" } as const;
            signal.addEventListener("abort", () => resolve(failure));
          }),
      ]
    ) {
      await using folder = await makeTempFolder();
      const exporter = new FakeExporter(answer);
      exporter.shutdown = () => Promise.resolve();
      const { queue, clock } = await open(folder.path, exporter, { storage });
      queue.push(sessions(1, 35));
      await until(() => queue.inFlight === 10);
      await clock.run(queue.close(50));
      assert.equal(clock.now(), 50);
      assert.deepEqual([queue.length, queue.counters.failed], [35, 0]);
      check(queue);
      assert.deepEqual((await left(folder.path)).toSorted((a, b) => a - b), pidRange(1, 35));
    }
  });

  Deno.test(`${name}: a full disk drops the newest, or the oldest, and counts them`, async () => {
    for (const whenFull of ["drop_newest", "drop_oldest"] as const) {
      await using folder = await makeTempFolder();
      const { queue, warnings } = await open(folder.path, busy(), { storage, whenFull });
      for (let first = 1; first <= 5000; first += 100) {
        queue.push(sessions(first, 100));
        check(queue);
        assert.ok(queue.diskBytes <= MIB);
        await settled();
      }
      const { dropped } = queue.counters;
      assert.ok(dropped > 1000 && dropped < 2500, `${dropped}`);
      assert.match(warnings.join(), /lost \d+ sessions until now: its queue is full/);
      await queue.close(1000);
      check(queue);
      const found = await left(folder.path);
      assert.equal(found.includes(5000), whenFull === "drop_oldest");
      assert.equal(found.includes(600), whenFull === "drop_newest"); // its segment is not under way
    }
  });
}

Deno.test("persistent: drop_oldest keeps for the next run what several exports have under way", async () => {
  await using folder = await makeTempFolder();
  const settings = { storage: DISK_FIRST, whenFull: "drop_oldest", consumers: 4 } as const;
  const { queue } = await open(folder.path, busy(), { ...settings, batchSize: 100 });
  for (let first = 1; first <= 5000; first += 100) {
    queue.push(sessions(first, 100));
    await settled();
  }
  assert.equal(queue.inFlight, 400);
  await queue.close(1000);
  check(queue);
  const found = await left(folder.path);
  assert.equal(found.length, queue.length);
  assert.deepEqual(found.slice(0, 400), pidRange(1, 400));
});

Deno.test("close() gives an export under way to a dead destination a last second", async () => {
  await using folder = await makeTempFolder();
  const exporter = new FakeExporter((attempt) => attempt === 1 ? BUSY : new Promise(() => {}));
  exporter.shutdown = () => Promise.resolve();
  const retry = { initialInterval: 1, maxInterval: 1, maxElapsedTime: 0 };
  const { queue, clock, warnings } = await open(folder.path, exporter, {
    storage: DISK_FIRST,
    retry,
  });
  queue.push(sessions(1, 5));
  await clock.advance(1);
  assert.deepEqual([exporter.underWay, exporter.exports.length], [1, 2]);
  const closed = queue.close(60_000);
  await clock.advance(999);
  assert.equal(queue.inFlight, 5);
  await clock.advance(1);
  await closed;
  assert.equal(queue.inFlight, 0);
  assert.equal(queue.length, 5);
  assert.equal(warnings.length, 1); // about the retry, not about the exporter's shutdown
});

Deno.test("sessions are kept in memory while the disk can't be written, and go there afterwards", async () => {
  await using folder = await makeTempFolder();
  const storage = { ...DISK_FIRST, folder: "storage" };
  const { queue, clock, warnings } = await open(folder.path, busy(), { storage });
  const path = join(folder.path, "storage");
  queue.push(sessions(1, 5));
  await until(() => queue.inFlight === 5);
  Deno.removeSync(path, { recursive: true });
  Deno.writeTextFileSync(path, "no folder");
  await clock.advance(LOOK_MS);
  queue.push(sessions(6, 15));
  queue.push(sessions(21, 15)); // 5 of them fit into memory
  assert.deepEqual([queue.length, queue.counters.dropped], [20, 10]);
  check(queue);
  await clock.advance(LOOK_MS);
  queue.push(sessions(36, 0)); // this tries nothing
  assert.ok(!warnings.some((line) => line.endsWith(`${FOLDER} can be written again`)));
  Deno.removeSync(path);
  queue.push(sessions(36, 5));
  assert.deepEqual([queue.length, queue.counters.dropped], [25, 10]);
  await using other = await makeTempFolder();
  crash(path, other.path);
  const onDisk = (await left(other.path)).toSorted((a, b) => a - b);
  assert.deepEqual(onDisk, [...pidRange(6, 20), ...pidRange(36, 5)]);
  await queue.close(100);
  check(queue);
});

Deno.test("if the disk can't be written, drop_oldest drops what is oldest in memory", async () => {
  await using folder = await makeTempFolder();
  const settings = { storage: DISK_FIRST, whenFull: "drop_oldest" } as const;
  const { queue, clock } = await open(folder.path, busy(), settings);
  queue.push(sessions(1, 5));
  await until(() => queue.inFlight === 5);
  const path = join(folder.path, FOLDER);
  Deno.removeSync(path, { recursive: true });
  Deno.writeTextFileSync(path, "no folder");
  await clock.advance(LOOK_MS);
  for (const first of [6, 16, 26]) queue.push(sessions(first, 10));
  assert.deepEqual([queue.length, queue.counters.dropped], [20, 10]);
  await queue.close(100);
  check(queue);
  assert.equal(queue.counters.dropped, 30); // neither delivered nor written until the end
});

Deno.test("at the end nothing is written to a file that was removed a moment ago", async () => {
  await using folder = await makeTempFolder();
  const { queue } = await open(folder.path, busy(), { storage: DISK_LATER });
  queue.push(sessions(1, 100)); // the first 20 wait in memory
  Deno.removeSync(join(folder.path, FOLDER), { recursive: true });
  await queue.close(100);
  check(queue);
  assert.deepEqual(await left(folder.path), pidRange(1, 20));
  assert.deepEqual([queue.length, queue.counters.corrupt], [20, 80]);
});

for (
  const [name, take] of [
    ["was removed", (path: string) => Deno.removeSync(path, { recursive: true })],
    ["was moved", (path: string) => Deno.renameSync(path, `${path}.moved`)],
    ["was emptied of segments", (path: string) => {
      for (const each of segments(join(path, ".."))) Deno.removeSync(each);
    }],
  ] as const
) {
  Deno.test(`what was in a folder that ${name} can still be delivered, and is lost at the end`, async () => {
    for (const isBack of [true, false]) {
      await using folder = await makeTempFolder();
      let isUp = false;
      const exporter = new FakeExporter(() => isUp ? SUCCESS : BUSY);
      const retry = { initialInterval: 1, maxInterval: 10, maxElapsedTime: 0 };
      const { queue, clock, warnings } = await open(folder.path, exporter, {
        storage: DISK_FIRST,
        retry,
      });
      queue.push(sessions(1, 200));
      await until(() => queue.inFlight === 10);
      take(join(folder.path, FOLDER));
      await clock.advance(LOOK_MS);
      queue.push(sessions(201, 50)); // into memory and, a second later, a new folder
      await clock.advance(LOOK_MS);
      queue.push(sessions(251, 50));
      check(queue);
      const { dropped } = queue.counters;
      isUp = isBack;
      if (isBack) {
        await clock.advance(10);
        await until(() => queue.length + queue.inFlight === 0);
      }
      await queue.close(1000);
      check(queue);
      assert.equal(queue.counters.corrupt, isBack ? 0 : 200);
      const rest = await left(folder.path);
      assert.equal(rest.length, queue.length);
      assert.deepEqual([rest.length, dropped], isBack ? [0, 30] : [70, 30]);
      assert.equal(exporter.delivered.length, isBack ? 270 : 0);
      const isReported = warnings.some((line) => line.endsWith(".seg: it was removed"));
      assert.equal(isReported, !isBack, warnings.join("\n"));
    }
  });
}

Deno.test("close() tries once more a disk that failed a moment ago", async () => {
  await using folder = await makeTempFolder();
  const { queue, clock } = await open(folder.path, busy(), { storage: DISK_FIRST });
  queue.push(sessions(1, 5));
  await until(() => queue.inFlight === 5);
  const path = join(folder.path, FOLDER);
  Deno.removeSync(path, { recursive: true });
  Deno.writeTextFileSync(path, "no folder");
  await clock.advance(LOOK_MS);
  queue.push(sessions(6, 15));
  Deno.removeSync(path);
  await queue.close(100);
  assert.deepEqual([queue.counters.dropped, queue.counters.corrupt], [0, 5]);
  check(queue);
  assert.deepEqual(await left(folder.path), pidRange(6, 15)); // the others went with their file
});

Deno.test("close() tries once more a disk that fails at the first of what memory has", async () => {
  await using folder = await makeTempFolder();
  const { queue, clock } = await open(folder.path, busy(), { storage: DISK_LATER, consumers: 2 });
  queue.push(sessions(1, 20));
  await until(() => queue.inFlight === 20);
  queue.push(sessions(21, 25)); // 20 of them fit into memory
  Deno.removeSync(join(folder.path, FOLDER), { recursive: true });
  await clock.advance(LOOK_MS); // then it sees that its file is gone
  await queue.close(100);
  assert.equal(queue.counters.dropped, 0);
  check(queue);
  assert.deepEqual((await left(folder.path)).toSorted((a, b) => a - b), pidRange(1, 40));
});

Deno.test("while a disk full of sessions is delivered, other work has its turn", async () => {
  await using folder = await makeTempFolder();
  const { queue } = await open(folder.path, taking(), { storage: DISK_FIRST });
  queue.push(sessions(1, 1000));
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  await until(() => queue.length === 0);
  clearInterval(timer);
  assert.ok(turns > 20, `${turns} turns for 100 batches`);
  await queue.close(1000);
});

Deno.test("a storage that can't be used is reported under its key, and the exporter shut down", async () => {
  await using folder = await makeTempFolder();
  const first = await open(folder.path, taking(), { storage: DISK_FIRST });
  const exporter = taking();
  await assert.rejects(open(folder.path, exporter, { storage: DISK_FIRST }), {
    name: "UsageError",
    message: `exporters.${EXPORTER}.sending_queue.storage: cannot use ` +
      `${join(folder.path, FOLDER)}: another tcpspan uses it: stop it, or name another folder`,
  });
  assert.equal(exporter.shutdowns, 1);
  await first.queue.close(1000);
});

Deno.test({
  name: "a storage that Deno may not write is reported under its key",
  permissions: { read: true, write: false },
  fn: () =>
    assert.rejects(open("/var", taking(), { storage: DISK_FIRST }), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(
        error.message,
        /^exporters\.otlp\/x\.sending_queue\.storage: cannot use \/var: Requires write access/,
      );
      return true;
    }),
});

Deno.test("a queue on disk continues with another exporter, but not in another place", async () => {
  await using folder = await makeTempFolder();
  const [before, after] = [busy(), taking()];
  const { queue } = await open(folder.path, before, { storage: DISK_FIRST });
  queue.push(sessions(1, 50));
  await until(() => before.exports.length === 1);
  for (
    const storage of [
      undefined,
      { ...DISK_FIRST, folder: "other" },
      { ...DISK_FIRST, persistent: false },
      { ...DISK_FIRST, maxBytes: 2 * MIB },
    ]
  ) assert.equal(queue.canTake({ ...SETTINGS, storage }), false);
  const settings = { ...SETTINGS, storage: { ...DISK_FIRST }, batchSize: 7, consumers: 2 };
  assert.equal(queue.canTake(settings), true);
  await queue.replace(after, settings);
  await until(() => queue.counters.exported === 50);
  assert.deepEqual(after.delivered.toSorted((a, b) => a - b), pidRange(1, 50));
  await queue.close(1000);
  assert.deepEqual(segments(folder.path), []);
});

Deno.test("over restarts, each session is delivered, or counted as failed or dropped", async () => {
  const outcome = fc.constantFrom<ExportOutcome>(
    SUCCESS,
    SUCCESS,
    BUSY,
    { status: "retryable", reason: "busy", retryAfterMs: 2 },
    { status: "failure", reason: "no" },
  );
  const settings = fc.record({
    queueSize: fc.integer({ min: 1, max: 60 }),
    consumers: fc.integer({ min: 1, max: 4 }),
    batchSize: fc.integer({ min: 1, max: 20 }),
    linger: fc.constantFrom(0, 1),
    whenFull: fc.constantFrom("drop_newest" as const, "drop_oldest" as const),
    storage: fc.constantFrom(DISK_FIRST, DISK_LATER),
  });
  const run = fc.record({
    pushes: fc.array(fc.nat({ max: 30 }), { maxLength: 10 }),
    outcomes: fc.array(outcome, { minLength: 1, maxLength: 10 }),
    settings,
    crashes: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(run, { maxLength: 4 }), async (runs) => {
      const retry = { initialInterval: 1, maxInterval: 2, maxElapsedTime: 0 };
      const sum = { failed: 0, dropped: 0 };
      const delivered = new Set<number>();
      const add = ({ failed, dropped }: QueueCounters) => {
        sum.failed += failed;
        sum.dropped += dropped;
      };
      let pushed = 0;
      let inMemory = 0; // when a process was killed
      await using stack = new AsyncDisposableStack();
      let folder = stack.use(await makeMemoryFolder()).path;
      for (const { pushes, outcomes, settings, crashes } of runs) {
        const exporter = new FakeExporter((n) => outcomes[n % outcomes.length] ?? SUCCESS);
        const { queue } = await openWith(systemClock, folder, exporter, { ...settings, retry });
        for (const count of pushes) {
          queue.push(sessions(pushed + 1, count));
          pushed += count;
          check(queue);
          if (count % 3 === 0) await settled();
        }
        const next = stack.use(await makeMemoryFolder()).path;
        if (crashes) {
          crash(folder, next);
          add(queue.counters);
          for (const pid of exporter.delivered) delivered.add(pid);
          if (!settings.storage.persistent) inMemory += settings.queueSize + 4 * 20;
          await queue.close(1000); // what it does from the kill on does not count
        } else {
          await queue.close(1000);
          check(queue);
          add(queue.counters);
          for (const pid of exporter.delivered) delivered.add(pid);
          crash(folder, next);
        }
        folder = next;
      }
      for (const pid of await left(folder)) delivered.add(pid);
      for (const pid of delivered) assert.ok(pid >= 1 && pid <= pushed, `${pid} invented`);
      const missing = pushed - delivered.size;
      assert.ok(missing <= sum.failed + sum.dropped + inMemory, `${missing} missing`);
    }),
    { numRuns: 50 },
  );
});
