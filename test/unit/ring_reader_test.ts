/** Batches from the ring: announced records come later, and are waited for. */
import assert from "node:assert/strict";
import { RingReader, type RingSource } from "../../src/capture/ring_reader.ts";
import { Selection } from "../../src/capture/selection.ts";
import { WallClock } from "../../src/capture/wall_clock.ts";
import { FLAG, RECORD } from "../../src/session/record_layout.ts";
import { makeBatch } from "../fixtures.ts";

/** A ring of processes' records. */
function ringOf(...records: readonly { pid: number; announced: boolean }[]): RingSource {
  const { bytes } = makeBatch(...records.map(({ pid, announced }) => ({
    owner_pid: pid,
    flags: announced ? FLAG.ANNOUNCED : 0,
  })));
  return {
    waiting: bytes.length,
    read(target) {
      new Uint8Array(target.buffer).set(bytes);
      return records.length;
    },
  };
}

/** What is read from a ring: the sessions' processes, and how often a wait was asked for. */
function read(ring: RingSource) {
  let waits = 0;
  const reader = new RingReader({
    clock: new WallClock(),
    selection: new Selection({}),
    onAnnounced: () => waits++,
  });
  using batch = reader.read(ring);
  assert.ok(batch !== undefined);
  assert.equal(batch.bytes.buffer.byteLength % RECORD.size, 0);
  return { pids: Array.from(batch, ({ pid }) => pid), waits };
}

Deno.test("read() removes announcements, and asks to wait for their records", () => {
  const ring = ringOf(
    { pid: 1, announced: true },
    { pid: 2, announced: false },
    { pid: 3, announced: true },
    { pid: 4, announced: false },
  );
  assert.deepEqual(read(ring), { pids: [2, 4], waits: 1 });
});

Deno.test("read() asks for no wait if nothing is announced", () => {
  const ring = ringOf({ pid: 1, announced: false }, { pid: 2, announced: false });
  assert.deepEqual(read(ring), { pids: [1, 2], waits: 0 });
});
