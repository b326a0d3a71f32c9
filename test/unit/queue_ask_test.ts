/** What a queue says of its destination before sessions come, and when the first were taken. */
import assert from "node:assert/strict";
import type { Exporter, ExportOutcome, QueueSettings } from "../../src/exporter.ts";
import type { LogFields } from "../../src/messages/log.ts";
import { ExporterQueue } from "../../src/queue/queue.ts";
import { BUSY, FakeExporter, SUCCESS } from "../fake_exporter.ts";
import { ManualClock, settled } from "../manual_clock.ts";
import { sessions } from "../spool.ts";

const RETRY = { initialInterval: 1, maxInterval: 4, maxElapsedTime: 0 };
const SETTINGS: QueueSettings = {
  queueSize: 1000,
  consumers: 1,
  batchSize: 10,
  linger: 0,
  whenFull: "drop_newest",
  retry: RETRY,
};
const REFUSED = { status: "failure", reason: "HTTP 404" } as const;
const SOON_MS = 500; // after the start

/** An exporter with a destination that can be asked. */
class Server extends FakeExporter {
  readonly asksIfEmpty = true;

  constructor(
    answer: (attempt: number, signal: AbortSignal) => ExportOutcome | Promise<ExportOutcome>,
    readonly destination = "http://collector",
  ) {
    super(answer);
  }
}

/** A queue that has started, and what it says. */
function queueFor(exporter: Exporter, settings: Partial<QueueSettings> = {}) {
  const clock = new ManualClock();
  const warnings: string[] = [];
  const news: [message: string, fields: LogFields | undefined][] = [];
  const queue = new ExporterQueue(
    "otlp",
    exporter,
    { ...SETTINGS, ...settings },
    (message) => warnings.push(message),
    undefined,
    clock,
    (message, fields) => news.push([message, fields]),
  );
  queue.start();
  return { queue, clock, warnings, news };
}

interface AskCase {
  readonly name: string;
  readonly answer: ExportOutcome;
  readonly retry?: QueueSettings["retry"];
  readonly warnings: readonly string[];
}

const CASES: readonly AskCase[] = [
  { name: "would take sessions", answer: SUCCESS, warnings: [] },
  {
    name: "does not answer",
    answer: BUSY,
    warnings: ["otlp: busy; until it answers, up to 1000 sessions are kept"],
  },
  {
    name: "does not answer, and nothing is tried again",
    answer: BUSY,
    retry: undefined,
    warnings: ["otlp: busy; sessions would be lost"],
  },
  { name: "refuses", answer: REFUSED, warnings: ["otlp: HTTP 404; sessions would be lost"] },
];
for (const { name, answer, warnings: expected, ...settings } of CASES) {
  Deno.test(`a destination that ${name} is asked once, on an idle host`, async () => {
    const exporter = new Server(() => answer);
    const { queue, clock, warnings, news } = queueFor(exporter, settings);
    await clock.advance(SOON_MS);
    await settled();
    assert.deepEqual(exporter.exports, [[]]);
    assert.deepEqual([warnings, news], [expected, []]);
    assert.equal(queue.failure, "reason" in answer ? answer.reason : undefined);
    await clock.advance(3_600_000);
    await queue.close(1000);
    assert.deepEqual(exporter.exports, [[]]);
    assert.deepEqual(queue.counters.failed, 0);
  });
}

Deno.test("a destination that sessions reach first is not asked", async () => {
  const exporter = new Server(() => SUCCESS);
  const { queue, clock, news } = queueFor(exporter);
  queue.push(sessions(1, 1));
  await clock.advance(SOON_MS);
  await queue.close(1000);
  assert.deepEqual(exporter.exports, [[1]]);
  assert.deepEqual(news, [
    ["otlp: delivering to http://collector", { destination: "http://collector" }],
  ]);
});

Deno.test("an exporter that cannot be asked gets no empty batch", async () => {
  const exporter = new FakeExporter(() => BUSY);
  const { queue, clock, warnings } = queueFor(exporter);
  await clock.advance(SOON_MS);
  await queue.close(1000);
  assert.deepEqual([exporter.exports, warnings], [[], []]);
});

Deno.test("the end does not wait for an answer", async () => {
  const exporter = new Server((_, signal) => {
    const { promise, resolve } = Promise.withResolvers<ExportOutcome>();
    signal.addEventListener("abort", () => resolve(BUSY));
    return promise;
  });
  const { queue, clock, warnings } = queueFor(exporter);
  await clock.advance(SOON_MS);
  await queue.close(3_600_000);
  assert.equal(exporter.shutdowns, 1);
  assert.deepEqual(warnings, []);
});

Deno.test("what was said of a destination when it was asked is not said again", async () => {
  const exporter = new Server((attempt) => attempt < 4 ? BUSY : SUCCESS);
  const { queue, clock, warnings, news } = queueFor(exporter);
  await clock.advance(SOON_MS);
  queue.push(sessions(1, 1));
  await settled();
  await clock.advance(10);
  await queue.close(1000);
  assert.deepEqual(warnings, [
    "otlp: busy; until it answers, up to 1000 sessions are kept",
    "otlp: delivering again",
  ]);
  assert.deepEqual([news, queue.failure], [[], undefined]);
});

Deno.test("each destination says once that it takes sessions, also one that replaces another", async () => {
  const { queue, clock, news } = queueFor(new Server(() => SUCCESS, "http://old"));
  for (let i = 0; i < 3; i++) queue.push(sessions(1, 1));
  await settled();
  const next = new Server(() => SUCCESS, "http://new");
  await queue.replace(next, SETTINGS);
  await clock.advance(SOON_MS);
  await settled();
  assert.deepEqual(next.exports, [[]], "it was asked");
  for (let i = 0; i < 3; i++) queue.push(sessions(1, 1));
  await queue.close(1000);
  assert.deepEqual(news.map(([message]) => message), [
    "otlp: delivering to http://old",
    "otlp: delivering to http://new",
  ]);
});

Deno.test("a destination that rejects all sessions has taken none, until it takes one", async () => {
  let rejected = 1;
  const exporter = new Server(() => ({ status: "success", rejected, message: "too old" }));
  const { queue, news } = queueFor(exporter);
  queue.push(sessions(1, 1));
  await settled();
  assert.deepEqual([news, queue.failure], [[], "rejected: too old"]);
  rejected = 0;
  queue.push(sessions(2, 1));
  await queue.close(1000);
  assert.deepEqual([news.length, queue.failure], [1, undefined]);
});
