/** A clock whose time passes only when a test says so. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import type { Clock } from "../src/clock.ts";

const HANGS_MS = 10_000; // of real time, without a timer

interface Timer {
  readonly due: number;
  readonly then: () => void;
}

/** Starts at 0. */
export class ManualClock implements Clock {
  readonly #timers = new Set<Timer>();
  #now = 0;

  now(): number {
    return this.#now;
  }

  /** Timers that are still to come. */
  get pending(): number {
    return this.#timers.size;
  }

  setTimeout(then: () => void, ms: number): Disposable {
    const timer = { due: this.#now + ms, then };
    this.#timers.add(timer);
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) };
  }

  /** Lets `ms` milliseconds pass: each timer fires at its time, and its consequences follow. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settled();
    for (let timer = this.#next(end); timer !== undefined; timer = this.#next(end)) {
      await this.#fire(timer);
    }
    this.#now = end;
  }

  /** Lets time pass, timer by timer, until `work` is done, which must wait for nothing else. */
  async run<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const end = () => void (isDone = true);
    work.then(end, end);
    const began = performance.now();
    for (await settled(); !isDone; await settled()) {
      const timer = this.#next(Infinity);
      if (timer !== undefined) await this.#fire(timer);
      else assert.ok(performance.now() - began < HANGS_MS, "waits for what never comes");
    }
    return await work;
  }

  async #fire(timer: Timer): Promise<void> {
    this.#timers.delete(timer);
    this.#now = timer.due;
    timer.then();
    await settled();
  }

  /** The timer that is due first, at `end` at the latest. */
  #next(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.due <= end && (next === undefined || timer.due < next.due)) next = timer;
    }
    return next;
  }
}

/** Resolves when everything is done that only waits for its turn. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
