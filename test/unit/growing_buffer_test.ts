import assert from "node:assert/strict";
import { GrowingBuffer } from "../../src/bytes/growing_buffer.ts";

Deno.test("reserve() keeps what was written, and grows rarely", () => {
  const buffer = new GrowingBuffer();
  const views = new Set<DataView>();
  for (let at = 0; at < 10_000; at++) {
    const view = buffer.reserve(at, 1);
    view.setUint8(at, at);
    views.add(view);
  }
  assert.deepEqual(
    buffer.bytes.subarray(0, 10_000),
    Uint8Array.from({ length: 10_000 }, (_, i) => i),
  );
  assert.ok(views.size < 20, `${views.size} times`);
});

Deno.test("reserve() keeps the memory if it is large enough", () => {
  const buffer = new GrowingBuffer(new ArrayBuffer(8));
  const { view, bytes } = buffer;
  assert.equal(buffer.reserve(4, 4), view);
  assert.equal(buffer.bytes, bytes);
  assert.equal(buffer.view.buffer, buffer.bytes.buffer);
});
