import { strict as assert } from "node:assert";
import { SessionBatch } from "../../src/session/batch.ts";
import { RECORD } from "../../src/session/record_layout.ts";
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

Deno.test("a SessionBatch gives its sessions in order, each as its own view", () => {
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

Deno.test("a SessionBatch gives its memory back when it is disposed of, once for the whole", () => {
  const memory = makeBatch({}, {}).bytes.buffer;
  const given: ArrayBuffer[] = [];
  {
    using batch = new SessionBatch(new Uint8Array(memory, 0, RECORD.size), (m) => given.push(m));
    using _part = batch.slice(0, 1);
    assert.deepEqual(given, []);
  }
  assert.deepEqual(given, [memory]);
});
