/** A spool at work in a folder of the test, and the folder after a crash. */
import { basename, join } from "node:path";
import { type Clock, systemClock } from "../src/clock.ts";
import type { SessionBatch } from "../src/session/batch.ts";
import { BatchMemory } from "../src/queue/batch_memory.ts";
import { newCounters, type QueueCounters } from "../src/queue/counters.ts";
import { Spool, type Taken } from "../src/queue/spool/spool.ts";
import { SpoolFolder } from "../src/queue/spool/folder.ts";
import { makeBatch } from "./fixtures.ts";

/** The exporter whose spool it is, and the name of its folder. */
export const EXPORTER = "otlp/x";
export const FOLDER = "otlp%2Fx";

/** A spool, its counters, and its warnings. */
export interface OpenedSpool extends AsyncDisposable {
  readonly spool: Spool;
  readonly counters: QueueCounters;
  readonly warnings: readonly string[];
}

/** How a spool is opened. */
export interface OpenSpoolOptions {
  readonly maxBytes?: number;
  readonly batchSize?: number;
  readonly clock?: Clock;
}

/** Opens the spool of `EXPORTER` below `storage`. Segments of a small one hold 11 sessions. */
export function openSpool(
  storage: string,
  { maxBytes = 8 * 4096, batchSize = 100, clock = systemClock }: OpenSpoolOptions = {},
): OpenedSpool {
  const counters = newCounters();
  const warnings: string[] = [];
  const spool = new Spool({
    folder: new SpoolFolder(storage, EXPORTER),
    maxBytes,
    memory: new BatchMemory(batchSize, 2),
    counters,
    warn: (message) => warnings.push(message.replaceAll(join(storage, FOLDER), "SPOOL")),
    clock,
  });
  return { spool, counters, warnings, [Symbol.asyncDispose]: () => spool.close() };
}

/** Sessions with the pids from `first` on. */
export function sessions(first: number, count: number): SessionBatch {
  return makeBatch(...Array.from({ length: count }, (_, i) => ({ owner_pid: first + i })));
}

/** `count` pids from `first` on: those of `sessions(first, count)`. */
export function pidRange(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

/** The pids of a batch. */
export function pids(batch: SessionBatch): number[] {
  return [...batch].map(({ pid }) => pid ?? 0);
}

/** Takes everything that waits, and releases it. */
export function drain(spool: Spool): number[] {
  const found: number[] = [];
  for (let taken = spool.take(); taken !== undefined; taken = spool.take()) {
    found.push(...pids(taken.batch));
    spool.done(taken);
  }
  return found;
}

/** What is taken next. @throws if nothing is */
export function takeOne(spool: Spool): Taken {
  const taken = spool.take();
  if (taken === undefined) throw new TypeError("nothing waits");
  return taken;
}

/** Copies the spool below `storage` to below `target`: what is left when its process is killed. */
export function crash(storage: string, target: string): void {
  Deno.mkdirSync(join(target, FOLDER), { recursive: true, mode: 0o700 });
  for (const { name } of Deno.readDirSync(join(storage, FOLDER))) {
    if (name !== "lock") {
      Deno.copyFileSync(join(storage, FOLDER, name), join(target, FOLDER, name));
    }
  }
}

/** Paths of the segments below `storage`. */
export function segments(storage: string): string[] {
  return [...Deno.readDirSync(join(storage, FOLDER))].map(({ name }) => name)
    .filter((name) => name.endsWith(".seg")).sort().map((name) => join(storage, FOLDER, name));
}

/** Names of everything in the spool below `storage`, without its lock. */
export function fileNames(storage: string): string[] {
  return [...Deno.readDirSync(join(storage, FOLDER))].map(({ name }) => basename(name))
    .filter((name) => name !== "lock").sort();
}
