/** Another exporter and other settings for a queue that runs. */
import assert from "node:assert/strict";
import type { Exporter, QueueSettings } from "../../src/exporter.ts";
import { ExporterQueue } from "../../src/queue/queue.ts";
import { BUSY, FakeExporter, SUCCESS, until, within } from "../fake_exporter.ts";
import { ManualClock, settled } from "../manual_clock.ts";
import { pidRange, sessions } from "../spool.ts";

const SETTINGS: QueueSettings = {
  queueSize: 1000,
  consumers: 1,
  batchSize: 10,
  linger: 0,
  whenFull: "drop_newest",
  retry: { initialInterval: 60_000, maxInterval: 60_000, maxElapsedTime: 0 },
};

function queueFor(exporter: Exporter, settings: Partial<QueueSettings> = {}) {
  const warnings: string[] = [];
  const clock = new ManualClock();
  const all = { ...SETTINGS, ...settings };
  const warn = (message: string) => void warnings.push(message);
  const queue = new ExporterQueue("fake/1", exporter, all, warn, undefined, clock);
  queue.start();
  return { queue, clock, warnings };
}

Deno.test("what waits for a retry goes to the new exporter at once, and the rest with it", async () => {
  const dead = new FakeExporter(() => BUSY);
  const alive = new FakeExporter(() => SUCCESS);
  const { queue, warnings } = queueFor(dead);
  queue.push(sessions(1, 35));
  await until(() => dead.exports.length === 1);
  await within(5000, queue.replace(alive, SETTINGS));
  assert.equal(queue.exporter, alive);
  assert.equal(dead.shutdowns, 1);
  await until(() => alive.delivered.length === 35);
  assert.deepEqual(alive.delivered, pidRange(1, 35));
  assert.deepEqual(dead.exports, [pidRange(1, 10)]);
  await queue.close(1000);
  assert.deepEqual([alive.shutdowns, dead.shutdowns], [1, 1]);
  assert.deepEqual(warnings, ["fake/1: busy; trying again, up to 1000 sessions are kept"]);
});

Deno.test("the old exporter ends its exports under way, and is shut down then", async () => {
  const answer = Promise.withResolvers<typeof SUCCESS | typeof BUSY>();
  const before = new FakeExporter((attempt) => attempt === 1 ? answer.promise : SUCCESS);
  const after = new FakeExporter(() => SUCCESS);
  const { queue } = queueFor(before);
  queue.push(sessions(1, 10));
  await until(() => before.underWay === 1);
  let replaced = false;
  const replacing = queue.replace(after, SETTINGS).then(() => replaced = true);
  queue.push(sessions(11, 5));
  await settled();
  assert.deepEqual([replaced, before.shutdowns], [false, 0]);
  answer.resolve(BUSY); // the next try is the new exporter's
  await within(5000, replacing);
  assert.equal(before.shutdowns, 1);
  await until(() => after.delivered.length === 15);
  assert.deepEqual([before.delivered, after.exports], [[], [pidRange(1, 10), pidRange(11, 5)]]);
  await queue.close(1000);
});

Deno.test("a failure of the new exporter is reported, even after one of the old exporter", async () => {
  const [first, second] = [new FakeExporter(() => BUSY), new FakeExporter(() => BUSY)];
  const { queue, warnings } = queueFor(first);
  queue.push(sessions(1, 1));
  await until(() => first.exports.length === 1);
  await queue.replace(second, { ...SETTINGS, queueSize: 7 });
  await until(() => second.exports.length === 1);
  assert.deepEqual(warnings, [
    "fake/1: busy; trying again, up to 1000 sessions are kept",
    "fake/1: busy; trying again, up to 7 sessions are kept",
  ]);
  await queue.close(0);
});

Deno.test("more and fewer consumers, from the next batch on", async () => {
  let answer = Promise.withResolvers<void>();
  const exporter = new FakeExporter(() => answer.promise.then(() => SUCCESS));
  const other = new FakeExporter(() => answer.promise.then(() => SUCCESS));
  const { queue } = queueFor(exporter);
  queue.push(sessions(1, 100));
  await settled();
  assert.equal(exporter.underWay, 1);
  const replacing = queue.replace(other, { ...SETTINGS, consumers: 4 });
  await settled();
  assert.deepEqual([exporter.underWay, other.underWay], [1, 3]);
  const last = new FakeExporter(() => SUCCESS);
  const again = queue.replace(last, { ...SETTINGS, consumers: 2 });
  answer.resolve();
  answer = Promise.withResolvers();
  await within(5000, Promise.all([replacing, again]));
  await until(() => queue.length === 0);
  assert.ok(last.mostUnderWay <= 2);
  assert.equal(other.mostUnderWay, 3);
  await queue.close(1000);
  assert.equal(queue.counters.exported, 100);
});

Deno.test("batches of another size: what waits is kept, and delivered in the new size", async () => {
  const before = new FakeExporter(() => BUSY);
  const after = new FakeExporter(() => SUCCESS);
  const { queue } = queueFor(before);
  queue.push(sessions(1, 35));
  await until(() => before.exports.length === 1);
  await queue.replace(after, { ...SETTINGS, batchSize: 4 });
  queue.push(sessions(36, 5));
  await queue.close(1000);
  assert.deepEqual(after.delivered, pidRange(1, 40));
  const [first = 0, ...others] = after.exports.map(({ length }) => length);
  assert.equal(first, 10); // was taken before
  assert.ok(others.every((length) => length <= 4), String(others));
});

Deno.test("a smaller queue keeps what it has, and takes more when there is room", async () => {
  const before = new FakeExporter(() => BUSY);
  const after = new FakeExporter(() => BUSY);
  const { queue } = queueFor(before);
  queue.push(sessions(1, 40));
  await until(() => before.exports.length === 1);
  await queue.replace(after, { ...SETTINGS, queueSize: 5 });
  queue.push(sessions(41, 1));
  assert.deepEqual([queue.length, queue.inFlight, queue.counters.dropped], [30, 10, 1]);
  await queue.close(0);
});

Deno.test("new retry settings apply to a batch that is already being tried", async () => {
  const before = new FakeExporter(() => BUSY);
  const after = new FakeExporter(() => BUSY);
  const { queue, clock } = queueFor(before);
  queue.push(sessions(1, 1));
  await until(() => before.exports.length === 1);
  const retry = { initialInterval: 1, maxInterval: 1, maxElapsedTime: 20 };
  await queue.replace(after, { ...SETTINGS, retry });
  await clock.advance(19);
  assert.equal(queue.counters.failed, 0);
  await clock.advance(1);
  assert.equal(queue.counters.failed, 1);
  assert.ok(after.exports.length > 19);
  await queue.close(0);
});

Deno.test("the same exporter under other settings is not shut down, and tries again at once", async () => {
  const exporter = new FakeExporter((attempt) => attempt === 1 ? BUSY : SUCCESS);
  const { queue } = queueFor(exporter);
  queue.push(sessions(1, 5));
  await until(() => exporter.exports.length === 1);
  await within(5000, queue.replace(exporter, { ...SETTINGS, queueSize: 5 }));
  await until(() => exporter.delivered.length === 5);
  assert.equal(exporter.shutdowns, 0);
  await queue.close(1000);
});

Deno.test("a linger does not hold up the new exporter", async () => {
  const before = new FakeExporter(() => SUCCESS);
  const after = new FakeExporter(() => SUCCESS);
  const { queue } = queueFor(before, { linger: 60_000 });
  queue.push(sessions(1, 1));
  await settled();
  await queue.replace(after, SETTINGS);
  await until(() => after.delivered.length === 1);
  await queue.close(1000);
});

Deno.test("replace() refuses another place on disk", async () => {
  const exporter = new FakeExporter(() => SUCCESS);
  const { queue } = queueFor(exporter);
  const storage = { folder: "x", persistent: true, maxBytes: 2 ** 20 };
  assert.equal(queue.canTake({ ...SETTINGS, queueSize: 1, whenFull: "drop_oldest" }), true);
  assert.equal(queue.canTake({ ...SETTINGS, storage }), false);
  await assert.rejects(queue.replace(new FakeExporter(() => SUCCESS), { ...SETTINGS, storage }), {
    name: "RangeError",
    message: "cannot change the settings of fake/1: its place on disk differs",
  });
  assert.equal(queue.exporter, exporter);
  await queue.close(1000);
});

Deno.test("close() ends within its time if the exporter that was replaced hangs", async () => {
  const before = new FakeExporter(() => new Promise(() => {}));
  const after = new FakeExporter(() => SUCCESS);
  const { queue, clock } = queueFor(before);
  queue.push(sessions(1, 1));
  await settled();
  const replacing = queue.replace(after, SETTINGS);
  before.shutdown = () => new Promise(() => {});
  await clock.run(queue.close(50));
  assert.equal(clock.now(), 50);
  await within(5000, replacing);
});
