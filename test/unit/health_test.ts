/** Readings of a run's health, and the messages about them. */
import assert from "node:assert/strict";
import { bootTimeNs } from "../../ffi/clock.ts";
import type { Exporter, ExportOutcome } from "../../src/exporter.ts";
import { newCounters } from "../../src/queue/counters.ts";
import { ExporterQueue } from "../../src/queue/queue.ts";
import { type CaptureSource, HealthMonitor } from "../../src/telemetry/health.ts";
import { describeLosses, lossesOf } from "../../src/telemetry/losses.ts";
import { reportLines } from "../../src/telemetry/report.ts";
import { RecentMaximum } from "../../src/telemetry/recent_maximum.ts";
import { stopClock } from "../clock.ts";
import { makeBatch } from "../fixtures.ts";
import { HEALTH, makeExporterHealth } from "../health.ts";

/** A capture whose counters a test sets. */
function makeCapture(): { -readonly [Key in keyof CaptureSource]: CaptureSource[Key] } {
  return {
    losses: () => ({
      ringFull: 1,
      storageFailed: 2,
      overCap: 3,
      unseen: 4,
      skippedRuns: 5,
    }),
    sampledOut: 6,
    ring: { waiting: 7, size: 8 },
  };
}

const NONE = { stats: [] };

/** A queue in front of an exporter that answers in turn. */
function makeQueue(...answers: (ExportOutcome | "never")[]): ExporterQueue {
  const exporter: Exporter = {
    export: () => {
      const answer = answers.shift() ?? "never";
      return answer === "never" ? new Promise(() => {}) : Promise.resolve(answer);
    },
    shutdown: () => Promise.resolve(),
  };
  const settings = {
    queueSize: 5,
    consumers: 1,
    batchSize: 2,
    linger: 0,
    whenFull: "drop_newest",
  } as const;
  const retry = { initialInterval: 1, maxInterval: 1, maxElapsedTime: 0 };
  const queue = new ExporterQueue("otlp/a", exporter, { ...settings, retry }, () => {});
  queue.start();
  return queue;
}

Deno.test("HealthMonitor reads what the capture counts", () => {
  const { losses, sampledOut, ring } = new HealthMonitor(makeCapture(), NONE).read();
  assert.deepEqual({ losses, sampledOut, ring }, {
    losses: { ringFull: 1, storageFailed: 2, overCap: 3, unseen: 4, skippedRuns: 5 },
    sampledOut: 6,
    ring: { waiting: 7, size: 8 },
  });
});

Deno.test("HealthMonitor counts the sessions that pass, and reads each queue", async () => {
  const queue = makeQueue({ status: "retryable", reason: "busy" }, { status: "success" }, "never");
  const health = new HealthMonitor(makeCapture(), { stats: [queue] });
  const batch = makeBatch({}, {});
  queue.push(batch);
  health.observe(batch);
  await new Promise((resolve) => setTimeout(resolve, 50)); // delivered at the second try
  const large = makeBatch({}, {}, {}, {}, {}, {}, {});
  queue.push(large); // the queue has room for 5
  health.observe(large);
  await new Promise((resolve) => setTimeout(resolve, 5)); // 2 are under way
  const { captured, exporters } = health.read();
  assert.equal(captured, 9);
  assert.deepEqual(exporters, [
    makeExporterHealth({
      id: "otlp/a",
      queued: 3,
      capacity: 5,
      inFlight: 2,
      exported: 2,
      dropped: 2,
      retries: 1,
    }),
  ]);
  await queue.close(0);
  assert.equal(health.read().exporters[0]?.failed, 5);
});

Deno.test("HealthMonitor passes on the other counts of a queue on disk", () => {
  const counters = { ...newCounters(), exported: 1, dropped: 2, failed: 12, retries: 4 };
  const queue = {
    id: "otlp",
    length: 5,
    capacity: 6,
    inFlight: 11,
    diskBytes: 7,
    diskLimit: 14,
    counters: { ...counters, restored: 8, rejected: 9, corrupt: 10, corruptBytes: 13 },
  };
  assert.deepEqual(new HealthMonitor(makeCapture(), { stats: [queue] }).read().exporters, [{
    id: "otlp",
    queued: 5,
    capacity: 6,
    inFlight: 11,
    diskBytes: 7,
    diskLimit: 14,
    restored: 8,
    rejected: 9,
    corrupt: 10,
    corruptBytes: 13,
    exported: 1,
    dropped: 2,
    failed: 3, // without the rejected ones
    retries: 4,
  }]);
});

Deno.test("HealthMonitor reports how old the oldest session was when it arrived", () => {
  const health = new HealthMonitor(makeCapture(), NONE);
  assert.equal(health.read().lagSeconds, 0);
  health.observe(makeBatch({ end_ns: bootTimeNs() - 250_000_000n }, { end_ns: bootTimeNs() }));
  health.observe(makeBatch({ end_ns: bootTimeNs() }));
  const { lagSeconds } = health.read();
  assert.ok(lagSeconds >= 0.25 && lagSeconds < 0.5, `${lagSeconds}`);
});

Deno.test("HealthMonitor keeps its last reading after disposal, when the capture may be gone", () => {
  const capture = makeCapture();
  const health = new HealthMonitor(capture, NONE);
  health[Symbol.dispose]();
  capture.losses = () => {
    throw new RangeError("unmapped");
  };
  assert.equal(health.read().losses.ringFull, 1);
});

Deno.test("RecentMaximum forgets a peak after one to two minutes, and shows it to every reader", () => {
  using clock = stopClock();
  const maximum = new RecentMaximum();
  assert.equal(maximum.value, 0);
  maximum.add(3);
  maximum.add(2);
  assert.deepEqual([maximum.value, maximum.value], [3, 3]);
  clock.advance(60_000);
  maximum.add(1);
  assert.equal(maximum.value, 3);
  clock.advance(59_999);
  assert.equal(maximum.value, 3);
  clock.advance(1);
  assert.equal(maximum.value, 1);
  clock.advance(120_000);
  assert.equal(maximum.value, 0);
});

Deno.test("reportLines() reports what was lost on disk, in sessions and bytes", () => {
  for (
    const [corrupt, corruptBytes, shown] of [
      [0, 0, undefined],
      [0, 20, "corrupt 0 (20 B)"],
      [5, 0, "corrupt 5 (0 B)"],
    ] as const
  ) {
    const exporters = [makeExporterHealth({ corrupt, corruptBytes })];
    const line = reportLines({ ...HEALTH, exporters }).at(-1) ?? "";
    assert.equal(/corrupt[^,]*/.exec(line)?.[0], shown);
  }
});

Deno.test("lossesOf() has every place once, also those without a loss", () => {
  assert.deepEqual(lossesOf(HEALTH), [
    { place: "ring_full", sessions: 1 },
    { place: "storage_failed", sessions: 2 },
    { place: "over_cap", sessions: 3 },
    { place: "unseen", sessions: 4 },
    { place: "queue_full", exporter: "stdout", sessions: 6 },
    { place: "not_delivered", exporter: "stdout", sessions: 0 },
    { place: "rejected", exporter: "stdout", sessions: 0 },
    { place: "corrupt", exporter: "stdout", sessions: 0 },
    { place: "queue_full", exporter: "otlp/a", sessions: 11 },
    { place: "not_delivered", exporter: "otlp/a", sessions: 10 },
    { place: "rejected", exporter: "otlp/a", sessions: 9 },
    { place: "corrupt", exporter: "otlp/a", sessions: 12 },
  ]);
});

const NO_LOSSES = {
  ringFull: 0,
  storageFailed: 0,
  overCap: 0,
  unseen: 0,
  skippedRuns: 0,
};

Deno.test("describeLosses() has a message for each loss, and none if nothing was lost", () => {
  const losses = { ...NO_LOSSES, ringFull: 1, skippedRuns: 3 };
  const exporters = [makeExporterHealth({ id: "otlp/a", dropped: 2 })];
  assert.deepEqual(describeLosses({ ...HEALTH, losses, exporters }), [
    {
      message: "lost 1 session: the ring buffer was full (capture.ring_buffer)",
      fields: { sessions: 1, place: "ring_full" },
    },
    {
      message: "lost 2 sessions: otlp/a: its queue was full",
      fields: { exporter: "otlp/a", sessions: 2, place: "queue_full" },
    },
    {
      message:
        "3 state changes were not seen: the kernel skips a program that interrupts itself; " +
        "their sessions were reported from what followed",
      fields: { place: "skipped_runs" },
    },
  ]);
  assert.deepEqual(
    describeLosses({ ...HEALTH, losses: NO_LOSSES, exporters: [makeExporterHealth()] }),
    [],
  );
});

Deno.test("describeLosses() speaks of one session and of one state change in the singular", () => {
  const losses = { ...NO_LOSSES, unseen: 1, skippedRuns: 1 };
  assert.deepEqual(
    describeLosses({ ...HEALTH, losses, exporters: [] }).map(({ message }) => message),
    [
      "lost 1 session: the kernel ran no program at its end",
      "1 state change was not seen: the kernel skips a program that interrupts itself; its " +
      "session was reported from what followed",
    ],
  );
  assert.ok(
    reportLines({ ...HEALTH, captured: 1, sampledOut: 1 }).join("\n")
      .match(/captured +1 session\n +sampled out +1 session\n/),
  );
});

Deno.test("describeLosses() says `at most` if sessions that no walk could see may be counted as lost", () => {
  const losses = { ...NO_LOSSES, unseen: 3, unseenAtMost: true as const };
  assert.deepEqual(
    describeLosses({ ...HEALTH, losses, exporters: [] }).map(({ message }) => message),
    ["lost at most 3 sessions: the kernel ran no program at their end"],
  );
});
