/** A spool, whatever its queue and its host do to it, in any order. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { WhenFull } from "../../src/exporter.ts";
import type { Taken } from "../../src/queue/spool/spool.ts";
import {
  crash,
  drain,
  type OpenedSpool,
  openSpool,
  pidRange,
  pids,
  segments,
  sessions,
} from "../spool.ts";
import { makeMemoryFolder, type TempFolder } from "../temp_folder.ts";

type Step =
  | { readonly do: "append"; readonly count: number }
  | { readonly do: "take" }
  | { readonly do: "finish"; readonly which: number }
  | { readonly do: "restart"; readonly how: "close" | "crash" };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("append" as const), count: fc.nat(60) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("take" as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("finish" as const), which: fc.nat(5) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("restart" as const),
      how: fc.constantFrom("close" as const, "crash" as const),
    }),
  },
);

/** A spool as its queue uses it; remembers all that it did. Sessions are known by their pids. */
class Scene {
  readonly appended = new Set<number>();
  readonly delivered = new Set<number>();
  readonly dropped = new Set<number>();
  #folders: TempFolder[] = [];
  #open: OpenedSpool | undefined;
  #taken: Taken[] = [];
  #waiting = new Set<number>(); // this run may have dropped some of them
  #done = 0; // in this run
  #accepted = 0; // in this run
  #next = 1;

  constructor(
    private readonly whenFull: WhenFull,
    private readonly options: { maxBytes: number; batchSize: number },
  ) {}

  async begin(): Promise<void> {
    const folder = await makeMemoryFolder();
    this.#folders.push(folder);
    this.#open = openSpool(folder.path, this.options);
  }

  get #spool() {
    assert.ok(this.#open !== undefined);
    return this.#open.spool;
  }

  async play(step: Step): Promise<void> {
    switch (step.do) {
      case "append": {
        const count = this.#spool.append(sessions(this.#next, step.count), this.whenFull);
        for (const pid of pidRange(this.#next, count)) {
          this.appended.add(pid);
          this.#waiting.add(pid);
        }
        this.#accepted += count;
        this.#next += step.count;
        break;
      }
      case "take": {
        const { length } = this.#spool;
        const taken = this.#spool.take();
        assert.equal(taken?.batch.length ?? 0, Math.min(length, this.options.batchSize));
        if (taken === undefined) break;
        this.#taken.push(taken);
        for (const pid of pids(taken.batch)) {
          assert.ok(this.#waiting.delete(pid), `${pid} is taken twice, or invented`);
        }
        break;
      }
      case "finish": {
        const [taken] = this.#taken.splice(step.which % (this.#taken.length || 1), 1);
        if (taken === undefined) break;
        for (const pid of pids(taken.batch)) this.delivered.add(pid);
        this.#done += taken.batch.length;
        this.#spool.done(taken);
        break;
      }
      case "restart":
        await this.#restart(step.how);
    }
    this.#check();
  }

  /** Delivers the rest. */
  async end(): Promise<void> {
    await this.#restart("close");
    for (const pid of drain(this.#spool)) this.delivered.add(pid);
    await this.#open?.spool.close();
    for (const folder of this.#folders) await folder[Symbol.asyncDispose]();
  }

  async #restart(how: "close" | "crash"): Promise<void> {
    const before = this.#open;
    const folder = await makeMemoryFolder();
    if (how === "crash") crash(this.#folders.at(-1)?.path ?? "", folder.path);
    const underWay = this.#taken.splice(0);
    if (how === "close") { for (const taken of underWay) before?.spool.leave(taken); }
    const kept = how === "close" ? before?.spool.length : undefined;
    await before?.spool.close();
    if (how === "close") crash(this.#folders.at(-1)?.path ?? "", folder.path);
    this.#folders.push(folder);
    const left = await this.#look(folder.path);
    for (const { batch } of underWay) {
      for (const pid of pids(batch)) assert.ok(left.has(pid), `${pid} was under way, and is lost`);
    }
    const dropped = [...this.#waiting].filter((pid) => !left.has(pid));
    assert.equal(before?.counters.dropped, dropped.length);
    for (const pid of dropped) this.dropped.add(pid);
    assert.ok(kept === undefined || kept <= left.size, `${kept} kept, ${left.size} found`);
    this.#waiting = left;
    this.#done = this.#accepted = 0;
    this.#open = openSpool(folder.path, this.options);
    assert.equal(this.#open.counters.restored, left.size);
  }

  /** What a run that begins with `storage` finds. */
  async #look(storage: string): Promise<Set<number>> {
    await using folder = await makeMemoryFolder();
    crash(storage, folder.path);
    await using open = openSpool(folder.path, this.options);
    return new Set(drain(open.spool));
  }

  /** What came in is where the spool says. */
  #check(): void {
    const { counters: { restored, dropped, corrupt }, warnings } = this.#open ?? assert.fail();
    const underWay = this.#taken.reduce((sum, { batch }) => sum + batch.length, 0);
    assert.equal(
      this.#accepted + restored,
      this.#done + dropped + corrupt + this.#spool.length + underWay,
    );
    assert.equal(corrupt, 0);
    assert.deepEqual(warnings, []);
    assert.ok(this.#spool.bytes <= this.options.maxBytes);
  }
}

for (const whenFull of ["drop_newest", "drop_oldest"] as const) {
  Deno.test(`whatever happens, every session is delivered or counted as dropped: ${whenFull}`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60, size: "max" }),
        fc.record({
          maxBytes: fc.constantFrom(8 * 4096, 32 * 4096),
          batchSize: fc.integer({ min: 1, max: 50 }),
        }),
        async (steps, options) => {
          const scene = new Scene(whenFull, options);
          await scene.begin();
          for (const step of steps) await scene.play(step);
          await scene.end();
          const { appended, delivered, dropped } = scene;
          assert.deepEqual(delivered.difference(appended).size, 0);
          assert.deepEqual(delivered.union(dropped), appended);
          if (whenFull === "drop_newest") assert.equal(dropped.size, 0);
        },
      ),
      { numRuns: 60 },
    );
  });
}

const loss = fc.oneof(
  fc.record({ do: fc.constant("append" as const), count: fc.nat(30) }),
  fc.record({ do: fc.constant("take" as const) }),
  fc.record({ do: fc.constant("done" as const) }), // with what was taken first
  fc.record({ do: fc.constant("remove" as const), which: fc.nat(10) }), // a segment's file
);

Deno.test("whichever files are removed, the next run finds as many sessions as the last one kept", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(loss, { maxLength: 40, size: "max" }),
      fc.integer({ min: 1, max: 30 }),
      async (steps, batchSize) => {
        await using folder = await makeMemoryFolder();
        const { spool, counters } = openSpool(folder.path, { batchSize });
        const taken: Taken[] = [];
        let accepted = 0;
        let delivered = 0;
        for (const step of steps) {
          if (step.do === "append") {
            accepted += spool.append(sessions(accepted + 1, step.count), "drop_newest");
          } else if (step.do === "take") {
            const next = spool.take();
            if (next !== undefined) taken.push(next);
          } else if (step.do === "done") {
            const first = taken.shift();
            if (first === undefined) continue;
            delivered += first.batch.length;
            spool.done(first);
          } else {
            const files = segments(folder.path);
            const file = files[step.which % (files.length || 1)];
            if (file !== undefined) Deno.removeSync(file);
          }
        }
        for (const each of taken) spool.leave(each);
        await spool.close();
        assert.equal(accepted, delivered + counters.corrupt + spool.length);
        await using after = openSpool(folder.path);
        assert.equal(after.spool.length, spool.length);
        assert.equal(drain(after.spool).length, spool.length);
      },
    ),
    { numRuns: 100 },
  );
});
