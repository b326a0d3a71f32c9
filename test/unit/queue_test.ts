import { strict as assert } from "node:assert";
import fc from "fast-check";
import type { Exporter, ExportOutcome, QueueSettings } from "../../src/exporter.ts";
import type { LogFields, Warn } from "../../src/messages/log.ts";
import { newCounters, type QueueCounters } from "../../src/queue/counters.ts";
import { ExporterQueue } from "../../src/queue/queue.ts";
import { BUSY, FakeExporter, SUCCESS, until, within } from "../fake_exporter.ts";
import { ManualClock, settled } from "../manual_clock.ts";
import { pidRange, sessions } from "../spool.ts";

const SETTINGS: QueueSettings = {
  queueSize: 1000,
  consumers: 1,
  batchSize: 100,
  linger: 0,
  whenFull: "drop_newest",
  retry: { initialInterval: 1, maxInterval: 4, maxElapsedTime: 0 },
};

/** A queue in front of `exporter`, its clock, its messages, and what they are about. */
function queueFor(
  exporter: Exporter,
  settings: Partial<QueueSettings> = {},
  clock = new ManualClock(),
) {
  const warnings: string[] = [];
  const fields: (LogFields | undefined)[] = [];
  const warn: Warn = (message, about) => {
    warnings.push(message);
    fields.push(about);
  };
  const all = { ...SETTINGS, ...settings };
  const queue = new ExporterQueue("fake/1", exporter, all, warn, undefined, clock);
  queue.start();
  return { queue, clock, warnings, fields };
}

/** Counters, 0 except those given. */
function counters(some: Partial<QueueCounters>): QueueCounters {
  return { ...newCounters(), ...some };
}

Deno.test("ExporterQueue delivers what was pushed, in order, and counts it", async () => {
  const exporter = new FakeExporter(() => SUCCESS);
  const { queue, warnings } = queueFor(exporter);
  queue.push(sessions(1, 3));
  queue.push(sessions(4, 2));
  await queue.close(1000);
  assert.deepEqual(exporter.delivered, [1, 2, 3, 4, 5]);
  assert.deepEqual(queue.counters, counters({ accepted: 5, exported: 5 }));
  assert.deepEqual(warnings, []);
  assert.equal(exporter.shutdowns, 1);
});

Deno.test("ExporterQueue delivers without being closed", async () => {
  const done = Promise.withResolvers<void>();
  const exporter = new FakeExporter(() => {
    done.resolve();
    return SUCCESS;
  });
  const { queue } = queueFor(exporter);
  await settled(); // its consumer waits
  queue.push(sessions(1, 1));
  await within(1000, done.promise);
  await queue.close(1000);
});

Deno.test("an export holds batchSize sessions at most", async () => {
  const exporter = new FakeExporter(() => SUCCESS);
  const { queue } = queueFor(exporter, { batchSize: 4 });
  queue.push(sessions(1, 10));
  queue.push(sessions(11, 1));
  await queue.close(1000);
  assert.deepEqual(exporter.exports, [pidRange(1, 4), pidRange(5, 4), pidRange(9, 3)]);
});

Deno.test("a small batch waits `linger` milliseconds for others", async () => {
  const exporter = new FakeExporter(() => SUCCESS);
  const { queue, clock } = queueFor(exporter, { linger: 50 });
  await settled();
  queue.push(sessions(1, 1));
  await clock.advance(49);
  queue.push(sessions(2, 1));
  assert.deepEqual(exporter.exports, []);
  await clock.advance(1);
  assert.deepEqual(exporter.exports, [[1, 2]]);
  await queue.close(1000);
});

Deno.test("close() does not wait for a linger", async () => {
  const exporter = new FakeExporter(() => SUCCESS);
  const { queue, clock } = queueFor(exporter, { linger: 60_000 });
  queue.push(sessions(1, 1));
  await settled();
  await within(1000, queue.close(60_000));
  assert.deepEqual(exporter.delivered, [1]);
  assert.equal(clock.pending, 0);
});

Deno.test("push() drops what does not fit, counts it, and says so once", async () => {
  const go = Promise.withResolvers<void>();
  const exporter = new FakeExporter(() => go.promise.then(() => SUCCESS));
  const { queue, warnings } = queueFor(exporter, { queueSize: 10, batchSize: 10 });
  queue.push(sessions(1, 2));
  await settled(); // now under way, no longer in the queue
  queue.push(sessions(3, 7));
  queue.push(sessions(10, 7)); // 3 fit
  queue.push(sessions(17, 5)); // none
  assert.equal(queue.counters.accepted, 21);
  assert.equal(queue.counters.dropped, 9);
  go.resolve();
  await queue.close(1000);
  assert.deepEqual(exporter.delivered, pidRange(1, 12)); // the first ones
  assert.equal(queue.counters.exported, 12);
  assert.deepEqual(warnings, ["fake/1: lost 4 sessions until now: its queue is full"]);
});

Deno.test("drop_oldest drops what has waited longest, by batches, and keeps the queue full", async () => {
  const go = Promise.withResolvers<void>();
  const exporter = new FakeExporter(() => go.promise.then(() => SUCCESS));
  const settings = { queueSize: 10, batchSize: 4, whenFull: "drop_oldest" } as const;
  const { queue, warnings } = queueFor(exporter, settings);
  queue.push(sessions(1, 2));
  await settled(); // now under way
  queue.push(sessions(3, 9)); // in batches of 4, 4 and 1
  queue.push(sessions(12, 3)); // they get the first batch's room
  assert.deepEqual([queue.length, queue.inFlight], [8, 2]);
  queue.push(sessions(15, 25)); // more than it holds: the last ones
  assert.equal(queue.length, 10);
  go.resolve();
  await queue.close(1000);
  assert.deepEqual(exporter.delivered, [1, 2, ...pidRange(30, 10)]);
  assert.deepEqual(queue.counters, counters({ accepted: 39, exported: 12, dropped: 27 }));
  assert.deepEqual(warnings, ["fake/1: lost 4 sessions until now: its queue is full"]);
});

for (const atOnce of [1, 6]) {
  Deno.test(`3 consumers have 3 exports under way at most, of sessions that come by ${atOnce}`, async () => {
    const go = Promise.withResolvers<void>();
    const exporter = new FakeExporter(() => go.promise.then(() => SUCCESS));
    const { queue } = queueFor(exporter, { consumers: 3, batchSize: 1 });
    await settled();
    for (let first = 1; first <= 6; first += atOnce) queue.push(sessions(first, atOnce));
    await settled();
    assert.equal(exporter.underWay, 3);
    go.resolve();
    await queue.close(1000);
    assert.equal(exporter.mostUnderWay, 3);
    assert.deepEqual(exporter.delivered.sort(), pidRange(1, 6));
  });
}

Deno.test("a retryable export is tried again, with growing waits, and reported once", async () => {
  const clock = new ManualClock();
  const exporter = new FakeExporter((attempt) => attempt <= 4 ? BUSY : SUCCESS, clock);
  const retry = { initialInterval: 20, maxInterval: 1000, maxElapsedTime: 0 };
  const { queue, warnings } = queueFor(exporter, { retry }, clock);
  queue.push(sessions(1, 2));
  await clock.advance(1000);
  assert.deepEqual(exporter.exports, Array.from({ length: 5 }, () => [1, 2]));
  assert.deepEqual(queue.counters, counters({ accepted: 2, exported: 2, retries: 4 }));
  // exponential backoff with jitter of half the interval either way
  const waits = exporter.times.slice(1).map((time, i) => time - (exporter.times[i] ?? 0));
  waits.forEach((wait, i) => {
    const interval = 20 * 1.5 ** i;
    const rounding = 1e-6;
    assert.ok(wait >= interval * 0.5 - rounding, `wait ${i}: ${wait} ms`);
    assert.ok(wait <= interval * 1.5 + rounding, `wait ${i}: ${wait} ms`);
  });
  assert.deepEqual(warnings, [
    "fake/1: busy; trying again, up to 1000 sessions are kept",
    "fake/1: delivering again",
  ]);
  await queue.close(1000);
});

Deno.test("a retry has only what was not taken by the try before, and all is counted at the end", async () => {
  const rows: readonly [last: ExportOutcome, counted: Partial<QueueCounters>, warning: string][] = [
    [
      SUCCESS,
      { exported: 5, failed: 1, rejected: 1 },
      "lost 1 session until now: rejected: too old",
    ],
    [
      { status: "success", rejected: 2, message: "too new" },
      { exported: 3, failed: 3, rejected: 3 },
      "lost 3 sessions until now: rejected: too old",
    ],
    [
      { status: "failure", reason: "no" },
      { exported: 3, failed: 3, rejected: 1 },
      "lost 1 session until now: rejected: too old",
    ],
  ];
  for (const [last, counted, warning] of rows) {
    const answers: readonly ExportOutcome[] = [
      { ...BUSY, done: 3, rejected: 1, message: "too old" },
      BUSY,
      { ...BUSY, done: 1 },
      last,
    ];
    const exporter = new FakeExporter((attempt) => answers[attempt - 1] ?? SUCCESS);
    const { queue, warnings, clock } = queueFor(exporter);
    queue.push(sessions(1, 6));
    await settled();
    assert.deepEqual(queue.counters, counters({ accepted: 6 }));
    assert.equal(queue.inFlight, 6);
    await clock.advance(100);
    assert.deepEqual(exporter.exports, [[1, 2, 3, 4, 5, 6], [4, 5, 6], [4, 5, 6], [5, 6]]);
    assert.deepEqual(queue.counters, counters({ accepted: 6, retries: 3, ...counted }));
    assert.ok(warnings.includes(`fake/1: ${warning}`), warnings.join("\n"));
    await queue.close(1000);
  }
});

Deno.test("why some were lost is said, whatever a try said before that took all it had", async () => {
  const advice: ExportOutcome = { ...BUSY, done: 3, message: "please upgrade" };
  const rows: readonly (readonly ExportOutcome[])[] = [
    [advice, { status: "success", rejected: 2, message: "too old" }],
    [advice, { ...BUSY, done: 2, rejected: 2, message: "too old" }],
  ];
  for (const answers of rows) {
    const exporter = new FakeExporter((attempt) => answers[attempt - 1] ?? SUCCESS);
    const { queue, warnings, clock } = queueFor(exporter);
    queue.push(sessions(1, 6));
    await clock.advance(100);
    assert.ok(
      warnings.includes("fake/1: lost 2 sessions until now: rejected: too old"),
      warnings.join("\n"),
    );
    await queue.close(1000);
  }
});

Deno.test("what a try took is counted also if the rest is given up on", async () => {
  const exporter = new FakeExporter(() => ({ ...BUSY, done: 2 }));
  const { queue } = queueFor(exporter, { retry: undefined });
  queue.push(sessions(1, 6));
  await queue.close(1000);
  assert.deepEqual(queue.counters, counters({ accepted: 6, exported: 2, failed: 4 }));
});

Deno.test("a retry waits as long as the server asked for", async () => {
  const later: ExportOutcome = { status: "retryable", reason: "busy", retryAfterMs: 120 };
  const exporter = new FakeExporter((attempt) => attempt === 1 ? later : SUCCESS);
  const retry = { initialInterval: 10, maxInterval: 10, maxElapsedTime: 0 };
  const { queue, warnings, clock } = queueFor(exporter, { retry });
  queue.push(sessions(1, 1));
  await clock.advance(119);
  assert.equal(exporter.exports.length, 1);
  await clock.advance(1);
  assert.deepEqual(exporter.delivered, [1]);
  assert.equal(warnings[1], "fake/1: the server asks for 120ms without a try");
  await queue.close(1000);
});

Deno.test("retries end after maxElapsedTime, and the sessions count as failed", async () => {
  const exporter = new FakeExporter(() => BUSY);
  const retry = { initialInterval: 10, maxInterval: 10, maxElapsedTime: 60 };
  const { queue, warnings, clock } = queueFor(exporter, { retry });
  queue.push(sessions(1, 3));
  await clock.advance(50); // then there is time for another try
  assert.equal(queue.counters.failed, 0);
  await clock.advance(10);
  assert.ok(exporter.exports.length > 5);
  assert.equal(queue.counters.failed, 3);
  assert.equal(warnings.at(-1), "fake/1: lost 3 sessions until now: busy");
  await queue.close(1000);
});

Deno.test("without retry an export has one try", async () => {
  const exporter = new FakeExporter(() => BUSY);
  const { queue, warnings } = queueFor(exporter, { retry: undefined });
  queue.push(sessions(1, 3));
  await queue.close(1000);
  assert.equal(exporter.exports.length, 1);
  assert.deepEqual(queue.counters, counters({ accepted: 3, failed: 3 }));
  assert.deepEqual(warnings, ["fake/1: lost 3 sessions until now: busy"]);
});

Deno.test("a refused export is not tried again, and the next one is", async () => {
  const refused: ExportOutcome = { status: "failure", reason: "bad request" };
  const exporter = new FakeExporter((attempt) => attempt === 1 ? refused : SUCCESS);
  const { queue, warnings } = queueFor(exporter, { batchSize: 2 });
  queue.push(sessions(1, 4));
  await queue.close(1000);
  assert.deepEqual(exporter.delivered, [3, 4]);
  assert.deepEqual(queue.counters, counters({ accepted: 4, exported: 2, failed: 2 }));
  assert.deepEqual(warnings, ["fake/1: lost 2 sessions until now: bad request"]);
});

Deno.test("an export that throws counts as failed", async () => {
  const exporter = new FakeExporter(() => {
    throw new Error("out of luck");
  });
  const { queue, warnings } = queueFor(exporter);
  queue.push(sessions(1, 2));
  await queue.close(1000);
  assert.equal(queue.counters.failed, 2);
  assert.deepEqual(warnings, ["fake/1: lost 2 sessions until now: out of luck"]);
});

Deno.test("sessions rejected from an export that was taken count as failed", async () => {
  const partial: ExportOutcome = { status: "success", rejected: 2, message: "too old" };
  const exporter = new FakeExporter(() => partial);
  const { queue, warnings } = queueFor(exporter);
  queue.push(sessions(1, 5));
  await queue.close(1000);
  assert.deepEqual(queue.counters, counters({ accepted: 5, exported: 3, failed: 2, rejected: 2 }));
  assert.deepEqual(warnings, ["fake/1: lost 2 sessions until now: rejected: too old"]);
});

Deno.test("what was rejected and what was not delivered are reported apart", async () => {
  const partial: ExportOutcome = { status: "success", rejected: 2 };
  const failure: ExportOutcome = { status: "failure", reason: "no" };
  const exporter = new FakeExporter((attempt) => attempt === 1 ? partial : failure);
  const { queue, clock, fields } = queueFor(exporter);
  queue.push(sessions(1, 5));
  await clock.advance(60_000);
  queue.push(sessions(6, 3));
  await queue.close(1000);
  assert.deepEqual(fields, [
    { sessions: 2, place: "rejected" },
    { sessions: 3, place: "not_delivered" },
  ]);
});

const LOSSES: readonly [outcome: ExportOutcome, queueSize: number, fields: LogFields][] = [
  [SUCCESS, 2, { sessions: 3, place: "queue_full" }],
  [{ status: "failure", reason: "no" }, 5, { sessions: 5, place: "not_delivered" }],
  [{ status: "success", rejected: 2 }, 5, { sessions: 2, place: "rejected" }],
];

for (const [outcome, queueSize, about] of LOSSES) {
  Deno.test(`a loss is reported with its number and place: ${about.place}`, async () => {
    const { queue, fields } = queueFor(new FakeExporter(() => outcome), { queueSize });
    queue.push(sessions(1, 5));
    await queue.close(1000);
    assert.deepEqual(fields, [about]);
  });
}

Deno.test("an export that fails in part: what was taken is delivered, only the rest is lost", async () => {
  const exporter = new FakeExporter(() => ({ status: "failure", reason: "full", delivered: 3 }));
  const { queue, warnings } = queueFor(exporter);
  queue.push(sessions(1, 5));
  await queue.close(1000);
  assert.deepEqual(queue.counters, counters({ accepted: 5, exported: 3, failed: 2 }));
  assert.deepEqual(warnings, ["fake/1: lost 2 sessions until now: full"]);
});

Deno.test("a session taken in part is in flight until all of it is taken, then delivered", async () => {
  const { promise: unfinished, resolve } = Promise.withResolvers<void>();
  const exporter = new FakeExporter((attempt) =>
    attempt === 1 ? { status: "failure", reason: "full", delivered: 1, unfinished } : SUCCESS
  );
  const { queue } = queueFor(exporter);
  queue.push(sessions(1, 5));
  await settled();
  assert.deepEqual(queue.counters, counters({ accepted: 5, exported: 1, failed: 3 }));
  assert.equal(queue.inFlight, 1);
  resolve();
  await unfinished;
  assert.deepEqual(queue.counters, counters({ accepted: 5, exported: 2, failed: 3 }));
  assert.equal(queue.inFlight, 0);
  await queue.close(1000);
  assert.deepEqual(queue.counters, counters({ accepted: 5, exported: 2, failed: 3 }));
});

Deno.test("a session taken in part is lost at the end, once, whatever comes later", async () => {
  const { promise: unfinished, resolve } = Promise.withResolvers<void>();
  const exporter = new FakeExporter(() => ({ status: "failure", reason: "full", unfinished }));
  const { queue, warnings } = queueFor(exporter);
  queue.push(sessions(1, 1));
  await queue.close(1000);
  resolve();
  await unfinished;
  assert.deepEqual(queue.counters, counters({ accepted: 1, failed: 1 }));
  assert.equal(queue.inFlight, 0);
  assert.deepEqual(warnings, [
    "fake/1: full; the rest of a session will follow",
    "fake/1: lost 1 session until now: full",
  ]);
});

Deno.test("losses are reported at most once a minute, and always counted", async () => {
  const exporter = new FakeExporter(() => ({ status: "failure", reason: "no" }));
  const { queue, warnings, clock } = queueFor(exporter, { batchSize: 1 });
  queue.push(sessions(1, 50));
  await clock.advance(59_999);
  queue.push(sessions(51, 1));
  await settled();
  assert.equal(queue.counters.failed, 51);
  assert.deepEqual(warnings, ["fake/1: lost 1 session until now: no"]);
  await clock.advance(1);
  queue.push(sessions(52, 9));
  await queue.close(1000);
  assert.equal(queue.counters.failed, 60);
  assert.deepEqual(warnings.slice(1), ["fake/1: lost 52 sessions until now: no"]);
});

Deno.test("close() reports an exporter that can't shut down", async () => {
  const exporter = new FakeExporter(() => SUCCESS);
  exporter.shutdown = () => Promise.reject(new Error("disk full"));
  const { queue, warnings } = queueFor(exporter);
  await queue.close(1000);
  assert.deepEqual(warnings, ["fake/1: cannot shut down: disk full"]);
});

Deno.test("close() gives what waits for a retry one more try at once", async () => {
  const exporter = new FakeExporter((attempt) => attempt === 1 ? BUSY : SUCCESS);
  const retry = { initialInterval: 60_000, maxInterval: 60_000, maxElapsedTime: 0 };
  const { queue, clock } = queueFor(exporter, { retry });
  queue.push(sessions(1, 1));
  await settled();
  await within(1000, queue.close(60_000));
  assert.deepEqual(exporter.delivered, [1]);
  assert.equal(clock.pending, 0);
});

/** Exporters that never take anything; `close(50)` must end with each. */
const DEAD: Record<string, (signal: AbortSignal) => ExportOutcome | Promise<ExportOutcome>> = {
  "asks for another try each time": () => BUSY,
  "hangs until its signal aborts": (signal) =>
    new Promise((resolve) => {
      const reason = "aborted";
      signal.addEventListener("abort", () => resolve({ status: "retryable", reason }));
    }),
  "hangs, even if its signal aborts": () => new Promise(() => {}),
};

for (const [name, answer] of Object.entries(DEAD)) {
  Deno.test(`close() ends within its time if the exporter ${name}`, async () => {
    const exporter = new FakeExporter((_, signal) => answer(signal));
    const { queue, clock } = queueFor(exporter, { batchSize: 10 });
    queue.push(sessions(1, 35));
    await settled();
    await clock.run(queue.close(50));
    assert.ok(clock.now() <= 50);
    const { accepted, exported, failed } = queue.counters;
    assert.deepEqual({ accepted, exported, failed }, { accepted: 35, exported: 0, failed: 35 });
  });
}

Deno.test("close() ends within its time if the exporter's shutdown hangs", async () => {
  const exporter = new FakeExporter(() => SUCCESS);
  exporter.shutdown = () => new Promise(() => {});
  const { queue, clock } = queueFor(exporter);
  queue.push(sessions(1, 1));
  await clock.run(queue.close(50));
  assert.equal(clock.now(), 50);
  assert.deepEqual(exporter.delivered, [1]);
});

Deno.test("close() again leaves less time, and never more", async () => {
  const exporter = new FakeExporter(() => new Promise(() => {}));
  const { queue } = queueFor(exporter, { batchSize: 10 });
  queue.push(sessions(1, 35));
  await settled();
  const closed = queue.close(60_000);
  await settled();
  assert.equal(queue.counters.failed, 0);
  await within(1000, queue.close(0));
  await within(1000, queue.close(60_000));
  await within(1000, closed);
  assert.equal(queue.counters.failed, 35);
  assert.equal(exporter.exports.length, 1, "what waited was not tried");
});

Deno.test("a step of the wall clock does not move the next try, and does not end the tries", async () => {
  const dateNow = Date.now;
  const HOUR_MS = 3_600_000;
  try {
    for (const step of [-HOUR_MS, HOUR_MS]) {
      const exporter: FakeExporter = new FakeExporter((attempt) => {
        if (attempt > 1) return SUCCESS;
        Date.now = () => dateNow() + step;
        return BUSY;
      });
      const retry = { initialInterval: 40, maxInterval: 40, maxElapsedTime: 60_000 };
      const settings = { ...SETTINGS, retry };
      const queue = new ExporterQueue("fake/1", exporter, settings, () => {}); // with the real clock
      queue.start();
      queue.push(sessions(1, 1));
      await until(() => exporter.exports.length === 2);
      assert.deepEqual(exporter.delivered, [1]);
      const [first = 0, second = 0] = exporter.times;
      assert.ok(second - first >= 18 && second - first < 2000, `${second - first} ms`);
      await queue.close(1000);
    }
  } finally {
    Date.now = dateNow;
  }
});

Deno.test("replace() gives what waits to the new exporter, and shuts the old one down", async () => {
  const dead = new FakeExporter(() => BUSY);
  const retry = { initialInterval: 60_000, maxInterval: 60_000, maxElapsedTime: 0 };
  const { queue } = queueFor(dead, { retry, batchSize: 2 });
  queue.push(sessions(1, 5));
  await settled(); // one batch waits for its next try, the others wait for that batch
  const alive = new FakeExporter(() => SUCCESS);
  await within(1000, queue.replace(alive, { ...SETTINGS, batchSize: 3 }));
  assert.equal(dead.shutdowns, 1);
  await settled();
  assert.deepEqual(alive.delivered, pidRange(1, 5), "without the wait for the next try");
  queue.push(sessions(6, 4));
  await queue.close(1000);
  assert.deepEqual(alive.delivered, pidRange(1, 9));
  assert.equal(dead.exports.length, 1);
  assert.equal(alive.shutdowns, 1);
  const { accepted, exported, failed } = queue.counters;
  assert.deepEqual({ accepted, exported, failed }, { accepted: 9, exported: 9, failed: 0 });
});

Deno.test("replace() lets the exports under way end before it shuts their exporter down", async () => {
  const answer = Promise.withResolvers<ExportOutcome>();
  const slow = new FakeExporter(() => answer.promise);
  const { queue } = queueFor(slow);
  queue.push(sessions(1, 1));
  await settled();
  const next = new FakeExporter(() => SUCCESS);
  let replaced = false;
  const replacing = queue.replace(next, SETTINGS).then(() => replaced = true);
  await settled();
  assert.deepEqual([replaced, slow.shutdowns], [false, 0]);
  answer.resolve(SUCCESS);
  await within(1000, replacing);
  assert.equal(slow.shutdowns, 1);
  await queue.close(1000);
  assert.deepEqual([slow.delivered, next.delivered], [[1], []]);
});

Deno.test("replace() starts as many consumers as the new settings name", async () => {
  for (const [before, after] of [[1, 4], [4, 2]] as const) {
    const exporter = new FakeExporter(() => SUCCESS);
    const { queue, clock } = queueFor(exporter, { consumers: before, batchSize: 1 });
    await settled();
    const slow: FakeExporter = new FakeExporter(() => {
      const { promise, resolve } = Promise.withResolvers<ExportOutcome>();
      clock.setTimeout(() => resolve(SUCCESS), 10);
      return promise;
    });
    await queue.replace(slow, { ...SETTINGS, consumers: after, batchSize: 1 });
    queue.push(sessions(1, 20));
    await clock.run(queue.close(5000));
    assert.equal(slow.mostUnderWay, after);
    assert.equal(slow.delivered.length, 20);
  }
});

Deno.test("replace() with a smaller size drops what comes, not what waits", async () => {
  const dead = new FakeExporter(() => new Promise(() => {}));
  const { queue, clock } = queueFor(dead, { batchSize: 1 });
  queue.push(sessions(1, 10));
  await settled();
  void queue.replace(dead, { ...SETTINGS, queueSize: 5 });
  queue.push(sessions(11, 1));
  assert.equal(queue.counters.dropped, 1);
  await clock.run(queue.close(10));
});

Deno.test("close() of an idle queue shuts the exporter down", async () => {
  const exporter = new FakeExporter(() => SUCCESS);
  const { queue } = queueFor(exporter, { consumers: 4 });
  await within(1000, queue.close(60_000));
  assert.equal(exporter.shutdowns, 1);
});

Deno.test("nothing is lost or doubled: each session is delivered, failed or dropped, once", async () => {
  const outcome = fc.constantFrom<ExportOutcome>(
    SUCCESS,
    BUSY,
    { status: "retryable", reason: "busy", retryAfterMs: 2 },
    { status: "retryable", reason: "busy", done: 3 },
    { status: "failure", reason: "no" },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat({ max: 30 }), { maxLength: 15 }),
      fc.array(outcome, { minLength: 1, maxLength: 10 }),
      fc.record({
        queueSize: fc.integer({ min: 1, max: 60 }),
        consumers: fc.integer({ min: 1, max: 4 }),
        batchSize: fc.integer({ min: 1, max: 20 }),
        linger: fc.constantFrom(0, 1),
      }),
      async (pushes, outcomes, settings) => {
        const exporter = new FakeExporter((attempt) =>
          outcomes[attempt % outcomes.length] ?? SUCCESS
        );
        const { queue, clock } = queueFor(exporter, settings);
        let pushed = 0;
        for (const count of pushes) {
          queue.push(sessions(pushed + 1, count));
          pushed += count;
          if (count % 3 === 0) await clock.advance(count % 2);
        }
        await clock.run(queue.close(1000));
        const { accepted, exported, dropped, failed } = queue.counters;
        assert.equal(accepted, pushed);
        assert.equal(exported + failed + dropped, accepted);
        assert.equal(exporter.delivered.length, exported);
        assert.equal(new Set(exporter.delivered).size, exported);
        assert.ok(
          exporter.exports.every(({ length }) => length > 0 && length <= settings.batchSize),
        );
        assert.ok(exporter.mostUnderWay <= settings.consumers);
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("close() waits for the time that a busy destination names, within its own", async () => {
  const answers: ExportOutcome[] = [{ ...BUSY, retryAfterMs: 50 }, SUCCESS];
  const exporter = new FakeExporter((attempt) => answers[attempt - 1] ?? SUCCESS);
  const { queue, clock } = queueFor(exporter);
  queue.push(sessions(1, 2));
  await clock.run(queue.close(1000));
  assert.equal(clock.now(), 50);
  assert.deepEqual(exporter.delivered, [1, 2]);
  assert.equal(queue.counters.failed, 0);
});

Deno.test("a destination that took everything and says something is quoted", async () => {
  const exporter = new FakeExporter(() => ({ status: "success", message: "near the quota" }));
  const { queue, warnings } = queueFor(exporter);
  queue.push(sessions(1, 1));
  await queue.close(1000);
  assert.deepEqual(warnings, ["fake/1: the server says: near the quota"]);
});

Deno.test("a queue that fills up does not wait for its linger to end", async () => {
  const exporter = new FakeExporter(() => SUCCESS);
  const { queue } = queueFor(exporter, { queueSize: 10, batchSize: 100, linger: 60_000 });
  for (let first = 1; first <= 30; first += 3) {
    queue.push(sessions(first, 3));
    await settled();
  }
  await queue.close(1000);
  assert.deepEqual(exporter.delivered, pidRange(1, 30));
  assert.equal(queue.counters.dropped, 0);
});
