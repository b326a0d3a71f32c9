import { strict as assert } from "node:assert";
import fc from "fast-check";
import { SessionBatch } from "../../src/batch.ts";
import { RECORD } from "../../src/record_layout.ts";
import { makeBatch } from "../fixtures.ts";

function pids(batch: SessionBatch): (number | undefined)[] {
  return [...batch].map(({ pid }) => pid);
}

function batchOf(...owners: number[]): SessionBatch {
  return makeBatch(...owners.map((owner_pid) => ({ owner_pid })));
}

Deno.test("SessionBatch takes whole records only", () => {
  assert.equal(new SessionBatch(new Uint8Array()).length, 0);
  assert.throws(() => new SessionBatch(new Uint8Array(RECORD.size + 1)), RangeError);
});

Deno.test("a SessionBatch gives its sessions in order, each a view of its own", () => {
  const batch = batchOf(1, 2, 3);
  assert.equal(batch.length, 3);
  assert.deepEqual(pids(batch), [1, 2, 3]);
  assert.equal(batch.at(2).pid, 3);
  assert.equal(batch.at(0).moveTo(1).pid, 2);
});

Deno.test("slice() shows part of a batch on the same bytes", () => {
  const batch = batchOf(1, 2, 3, 4);
  const part = batch.slice(1, 3);
  assert.deepEqual(pids(part), [2, 3]);
  assert.equal(part.bytes.buffer, batch.bytes.buffer);
  assert.deepEqual(pids(part.slice(1, 2)), [3]);
});

Deno.test("concat() puts the sessions of batches one behind the other", () => {
  const batches = fc.array(fc.array(fc.integer({ min: 1, max: 1 << 22 }), { maxLength: 5 }));
  fc.assert(fc.property(batches, (batches) => {
    const joined = SessionBatch.concat(batches.map((owners) => batchOf(...owners)));
    assert.deepEqual(pids(joined), batches.flat());
  }));
});

Deno.test("concat() of slices takes those sessions alone", () => {
  const batch = batchOf(1, 2, 3, 4, 5);
  assert.deepEqual(pids(SessionBatch.concat([batch.slice(3, 5), batch.slice(0, 1)])), [4, 5, 1]);
});

Deno.test("concat() of one batch copies nothing", () => {
  const batch = batchOf(1);
  assert.equal(SessionBatch.concat([batch]), batch);
});
