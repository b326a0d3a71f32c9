/** An exporter for the tests of its queue. */
import assert from "node:assert/strict";
import { type Clock, systemClock } from "../src/clock.ts";
import type { SessionBatch } from "../src/session/batch.ts";
import type { Exporter, ExportOutcome } from "../src/exporter.ts";

/** The batch was taken. */
export const SUCCESS: ExportOutcome = { status: "success" };
/** The batch can be tried again. */
export const BUSY = { status: "retryable", reason: "busy" } as const satisfies ExportOutcome;

/** An exporter that answers what the test says, and remembers what it got. */
export class FakeExporter implements Exporter {
  /** Owner pids of each export, in order. */
  readonly exports: number[][] = [];
  /** Owner pids of what was taken: of exports answered with success, and of what was done in others. */
  readonly delivered: number[] = [];
  /** When each export began. */
  readonly times: number[] = [];
  underWay = 0;
  mostUnderWay = 0;
  shutdowns = 0;

  constructor(
    private readonly answer: (
      attempt: number,
      signal: AbortSignal,
    ) => ExportOutcome | Promise<ExportOutcome>,
    private readonly clock: Clock = systemClock,
  ) {}

  async export(batch: SessionBatch, signal: AbortSignal): Promise<ExportOutcome> {
    assert.equal(this.shutdowns, 0, "exported after shutdown");
    const pids = [...batch].map(({ pid }) => pid ?? 0);
    this.times.push(this.clock.now());
    this.exports.push(pids);
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
    try {
      const outcome = await this.answer(this.exports.length, signal);
      if (outcome.status === "success") this.delivered.push(...pids);
      if (outcome.status === "retryable") this.delivered.push(...pids.slice(0, outcome.done ?? 0));
      return outcome;
    } finally {
      this.underWay--;
    }
  }

  shutdown(): Promise<void> {
    assert.equal(this.underWay, 0, "shut down during an export");
    this.shutdowns++;
    return Promise.resolve();
  }
}

/** Resolves after `ms` milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Fails after `ms` milliseconds instead of hanging for ever. */
export async function within(ms: number, promise: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`not done within ${ms} ms`)), ms);
  try {
    await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until `condition` holds; fails after ten seconds. */
export async function until(condition: () => boolean): Promise<void> {
  for (const end = performance.now() + 10_000; !condition();) {
    assert.ok(performance.now() < end, `not within 10 s: ${condition}`);
    await sleep(2);
  }
}
