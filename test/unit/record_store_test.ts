import { strict as assert } from "node:assert";
import fc from "fast-check";
import type { SessionBatch } from "../../src/session/batch.ts";
import { BatchMemory } from "../../src/queue/batch_memory.ts";
import { RecordStore } from "../../src/queue/record_store.ts";
import { makeBatch } from "../fixtures.ts";

const CAPACITY = 4;

/** Sessions with the pids from `first` on. */
function sessions(first: number, count: number): SessionBatch {
  return makeBatch(...Array.from({ length: count }, (_, i) => ({ owner_pid: first + i })));
}

function pids(batch: SessionBatch): (number | undefined)[] {
  return [...batch].map(({ pid }) => pid);
}

Deno.test("take() gives sessions in order, one batch at most, and nothing when none wait", () => {
  const store = new RecordStore(new BatchMemory(CAPACITY, 1));
  store.push(sessions(1, 3));
  store.push(sessions(4, 6));
  assert.equal(store.length, 9);
  const taken = [store.take(), store.take(), store.take(), store.take()];
  assert.deepEqual(taken.map(pids), [[1, 2, 3, 4], [5, 6, 7, 8], [9], []]);
  assert.equal(store.length, 0);
});

Deno.test("push() copies a batch, so its memory is free at once", () => {
  const store = new RecordStore(new BatchMemory(CAPACITY, 1));
  const batch = sessions(1, 2);
  store.push(batch);
  batch.bytes.fill(0);
  assert.deepEqual(pids(store.take()), [1, 2]);
});

Deno.test("batches without room for a session are refused: nothing could be stored in them", () => {
  for (const capacity of [0, -1, 0.5, NaN]) {
    assert.throws(() => new BatchMemory(capacity, 1), {
      name: "RangeError",
      message: `cannot make batches of ${capacity} sessions: expected at least 1`,
    });
  }
});

Deno.test("memory that is given back is used again", () => {
  const memory = new BatchMemory(CAPACITY, 1);
  const store = new RecordStore(memory);
  store.push(sessions(1, 1));
  const first = store.take();
  memory.give(first.bytes);
  store.push(sessions(2, 1));
  const second = store.take();
  assert.equal(second.bytes.buffer, first.bytes.buffer);
  assert.deepEqual(pids(second), [2]);
});

Deno.test("memory of another capacity, or beyond what is kept, is released", () => {
  const memory = new BatchMemory(CAPACITY, 1);
  const [other, first, second] = [1, CAPACITY, CAPACITY].map((n) => new BatchMemory(n, 0).take());
  assert.ok(other !== undefined && first !== undefined && second !== undefined);
  for (const bytes of [other, first, second]) memory.give(bytes);
  assert.equal(memory.take().buffer, first.buffer);
  assert.notEqual(memory.take().buffer, second.buffer);
});

Deno.test("what was taken stays as it is while others come and go", () => {
  const counts = fc.array(fc.integer({ min: 1, max: 3 * CAPACITY }), { maxLength: 20 });
  fc.assert(fc.property(counts, fc.nat(3), (counts, mostFree) => {
    const memory = new BatchMemory(CAPACITY, mostFree);
    const store = new RecordStore(memory);
    const held: SessionBatch[] = [];
    const seen: (number | undefined)[] = [];
    let next = 1;
    for (const count of counts) {
      store.push(sessions(next, count));
      next += count;
      held.push(store.take());
      if (held.length < 3) continue;
      const [oldest] = held.splice(0, 1);
      assert.ok(oldest !== undefined);
      seen.push(...pids(oldest));
      memory.give(oldest.bytes);
    }
    while (store.length > 0) held.push(store.take());
    seen.push(...held.flatMap(pids));
    assert.deepEqual(seen, Array.from({ length: next - 1 }, (_, i) => i + 1));
  }));
});
