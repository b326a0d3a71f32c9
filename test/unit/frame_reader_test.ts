import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import {
  FRAME_HEADER,
  LARGEST_PAYLOAD,
  writeFrameHeader,
  writeSeal,
} from "../../src/queue/spool/frame.ts";
import { FrameReader, type FrameSource, WINDOW } from "../../src/queue/spool/frame_reader.ts";

const RECORD_SIZE = 8;
const LAYOUT = 4711;

/** A frame of records that hold `values`. */
function frame(...values: number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FRAME_HEADER + values.length * RECORD_SIZE);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => view.setUint32(FRAME_HEADER + i * RECORD_SIZE, value, true));
  writeFrameHeader(bytes, values.length * RECORD_SIZE, LAYOUT);
  return bytes;
}

function seal(sessions: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FRAME_HEADER);
  writeSeal(bytes, sessions);
  return bytes;
}

function join(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.concat(parts));
}

/** A source of `bytes`. */
function sourceOf(bytes: Uint8Array): FrameSource {
  return {
    size: bytes.length,
    recordSize: RECORD_SIZE,
    layout: LAYOUT,
    readAt(position, target) {
      const part = bytes.subarray(position, position + target.length);
      target.set(part);
      return part.length;
    },
  };
}

const window = new Uint8Array(WINDOW);

/** What is found in `bytes`: values of frames, and `[offset, bytes, sessions]` of damage. */
function readAll(bytes: Uint8Array): (number[] | { damage: number[] })[] {
  const reader = new FrameReader(sourceOf(bytes), window, 0);
  const found: (number[] | { damage: number[] })[] = [];
  for (let next = reader.next(); next !== "end"; next = reader.next()) {
    if (next === "damage") {
      const { offset, position, lostSessions } = reader;
      found.push({ damage: [offset, position - offset, lostSessions] });
    } else {
      const view = Buffer.from(reader.payload);
      found.push(
        Array.from(
          { length: view.length / RECORD_SIZE },
          (_, i) => view.readUInt32LE(i * RECORD_SIZE),
        ),
      );
    }
  }
  return found;
}

const A = frame(1, 2);
const B = frame(3);
const C = frame(4, 5, 6);

function flipped(bytes: Uint8Array, offset: number): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(bytes);
  copy[offset] = (copy[offset] ?? 0) ^ 4;
  return copy;
}

const garbage = new Uint8Array(37).fill(0xf5); // each byte could start a frame

for (
  const [name, bytes, found] of [
    ["nothing", join(), []],
    ["frames", join(A, B, C), [[1, 2], [3], [4, 5, 6]]],
    ["frames and their seal", join(A, B, seal(3)), [[1, 2], [3]]],
    ["a frame with a wrong payload", join(A, flipped(B, 20), C), [
      [1, 2],
      { damage: [32, 24, 1] },
      [4, 5, 6],
    ]],
    ["a frame with a wrong header", join(A, flipped(B, 5), C), [
      [1, 2],
      { damage: [32, 24, 0] },
      [4, 5, 6],
    ]],
    ["a last frame with a wrong payload", join(A, flipped(B, 20)), [
      [1, 2],
      { damage: [32, 24, 1] },
    ]],
    ["bytes between frames", join(A, garbage, B), [[1, 2], { damage: [32, 37, 0] }, [3]]],
    ["bytes before a frame", join(garbage, B), [{ damage: [0, 37, 0] }, [3]]],
    ["bytes after all frames", join(A, garbage), [[1, 2], { damage: [32, 37, 0] }]],
    ["a frame that lacks bytes", join(A, C.subarray(0, 30), A, B), [
      [1, 2],
      { damage: [32, 30, 3] },
      [1, 2],
      [3],
    ]],
    [
      "a frame that lacks as many bytes as the next one has",
      join(
        C.subarray(0, 16),
        B,
        A,
      ),
      [{ damage: [0, 16, 3] }, [3], [1, 2]],
    ],
    ["a frame cut off", join(A, C.subarray(0, 39)), [[1, 2], { damage: [32, 39, 3] }]],
    ["a header cut off", join(A, C.subarray(0, 9)), [[1, 2], { damage: [32, 9, 0] }]],
    ["a seal after damage", join(A, flipped(B, 5), seal(3)), [[1, 2], { damage: [32, 24, 0] }]],
  ] as const
) {
  Deno.test(`in ${name} whole frames are found, and the damage is reported`, () => {
    assert.deepEqual(readAll(bytes), found);
  });
}

Deno.test("a record that looks like a header is never taken for one", () => {
  // an address may be any 16 bytes: here the header of a frame that would swallow what follows
  const trap = frame(7, 8).subarray(0, FRAME_HEADER);
  const evil = new Uint8Array(FRAME_HEADER + 3 * RECORD_SIZE);
  evil.set(trap, FRAME_HEADER);
  writeFrameHeader(evil, 3 * RECORD_SIZE, LAYOUT);
  assert.deepEqual(readAll(join(flipped(evil, 5), B, C)), [{ damage: [0, 40, 0] }, [3], [4, 5, 6]]);
});

Deno.test("a payload that ends within a record is damage", () => {
  const odd = new Uint8Array(FRAME_HEADER + RECORD_SIZE + 1);
  writeFrameHeader(odd, RECORD_SIZE + 1, LAYOUT);
  assert.deepEqual(readAll(join(odd, B)), [{ damage: [0, 25, 1] }, [3]]);
});

Deno.test("a frame of another layout is damage", () => {
  const other = frame(1, 2);
  writeFrameHeader(other, 2 * RECORD_SIZE, LAYOUT + 1);
  assert.deepEqual(readAll(join(other, B)), [{ damage: [0, 32, 2] }, [3]]);
});

Deno.test("a payload larger than the limit is damage", () => {
  const large = new Uint8Array(FRAME_HEADER + LARGEST_PAYLOAD + RECORD_SIZE);
  writeFrameHeader(large, LARGEST_PAYLOAD + RECORD_SIZE, LAYOUT);
  const [damage, ...rest] = readAll(join(large, B));
  assert.deepEqual(damage, { damage: [0, large.length, LARGEST_PAYLOAD / RECORD_SIZE + 1] });
  assert.deepEqual(rest, [[3]]);
});

Deno.test("frames are found beyond the reader's memory, and while the source grows", () => {
  const large = new Uint8Array(FRAME_HEADER + LARGEST_PAYLOAD);
  writeFrameHeader(large, LARGEST_PAYLOAD, LAYOUT);
  const bytes = join(A, large, B, large, C);
  const source = { ...sourceOf(bytes), size: 0 };
  const reader = new FrameReader(source, window, 0);
  const lengths: number[] = [];
  let end = 0;
  for (const part of [A, large, B, large, C]) {
    assert.equal(reader.next(), "end");
    source.size = end += part.length;
    assert.equal(reader.next(), "frame");
    lengths.push(reader.payload.length);
    assert.equal(reader.position, end);
  }
  assert.deepEqual(lengths, [16, LARGEST_PAYLOAD, 8, LARGEST_PAYLOAD, 24]);
});

Deno.test("a source that is shorter than its size is damaged up to its end", () => {
  const source = { ...sourceOf(A), size: 1000 };
  const reader = new FrameReader(source, window, 0);
  assert.equal(reader.next(), "frame");
  assert.equal(reader.next(), "damage");
  assert.equal(reader.position, 1000);
  assert.equal(reader.next(), "end");
});

Deno.test("the reader gives up on a source full of possible frame starts within a second", () => {
  const headers = new Uint8Array(16 * 2 ** 20);
  const header = new Uint8Array(FRAME_HEADER + LARGEST_PAYLOAD);
  writeFrameHeader(header, LARGEST_PAYLOAD, LAYOUT);
  for (let i = 0; i < headers.length; i += FRAME_HEADER) {
    headers.set(header.subarray(0, FRAME_HEADER), i);
  }
  headers[0] = 0;
  const began = performance.now();
  assert.deepEqual(readAll(headers), [{ damage: [0, headers.length, 0] }]);
  assert.ok(performance.now() - began < 1000);
});

Deno.test("after any changes whole frames are found, and none that was not written", () => {
  fc.assert(fc.property(
    fc.array(fc.array(fc.nat(1e9), { minLength: 1, maxLength: 4 }), { maxLength: 8 }),
    fc.array(fc.record({ at: fc.nat(500), bits: fc.integer({ min: 1, max: 255 }) }), {
      maxLength: 3,
    }),
    (frames, changes) => {
      const parts = frames.map((values) => frame(...values));
      const bytes = join(...parts);
      const touched = new Set<number>();
      for (const { at, bits } of changes) {
        if (at >= bytes.length) continue;
        bytes[at] = (bytes[at] ?? 0) ^ bits;
        let end = 0;
        touched.add(parts.findIndex(({ length }) => at < (end += length)));
      }
      const found = readAll(bytes).filter((part) => Array.isArray(part));
      const whole = frames.filter((_, i) => !touched.has(i));
      // two changes of one byte may cancel out
      assert.ok(found.length >= whole.length);
      const left = frames.map(String);
      for (const part of found) assert.ok(left.includes(String(part)));
      for (const part of whole) assert.ok(found.some((other) => String(other) === String(part)));
    },
  ));
});
