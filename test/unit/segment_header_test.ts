import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { makeHeader, readHeader } from "../../src/queue/spool/segment_header.ts";
import { RECORD, RECORD_DESCRIPTION } from "../../src/session/record_layout.ts";

const ID = "0123456789abcdef";
const BOOT = "00112233445566778899aabbccddeeff";
const OTHER = "size:16 owner_pid:0:4 netns:8:4";

/** A header with other bytes from `at` on, with or without a matching checksum. */
function changed(
  at: number,
  bytes: number[],
  checksum: "right" | "wrong" = "wrong",
  layout = OTHER,
) {
  const header = makeHeader(ID, BOOT, layout);
  header.set(bytes, at);
  if (checksum === "right") {
    new DataView(header.buffer).setUint32(header.length - 4, crc32(header.subarray(0, -4)), true);
  }
  return header;
}

function damaged(header: Uint8Array<ArrayBuffer>, at: number) {
  header[at] = (header[at] ?? 0) ^ 1;
  return header;
}

Deno.test("a header has its id, its size, and how to translate the records after it", () => {
  const bytes = new Uint8Array(5000);
  const header = makeHeader(ID, BOOT, OTHER);
  bytes.set(header);
  const found = readHeader(bytes);
  assert.ok(typeof found === "object");
  assert.deepEqual([found.id, found.boot, found.size], [ID, BOOT, header.length]);
  assert.equal(found.translation.sourceSize, 16);
  assert.equal(found.translation.isIdentity, false);
});

Deno.test("a new segment has today's layout", () => {
  const found = readHeader(makeHeader(ID, BOOT));
  assert.ok(typeof found === "object");
  assert.equal(found.translation.isIdentity, true);
  assert.equal(found.translation.sourceSize, RECORD.size);
  assert.ok(new TextDecoder().decode(makeHeader(ID, BOOT)).includes(RECORD_DESCRIPTION));
});

const NO_SEGMENT = "it is no segment of a queue, or its beginning is damaged";

for (
  const [name, bytes, why] of [
    ["nothing", new Uint8Array(), NO_SEGMENT],
    ["a few bytes", makeHeader(ID, BOOT).slice(0, 20), NO_SEGMENT],
    ["a header cut off", makeHeader(ID, BOOT).slice(0, -5), NO_SEGMENT],
    ["another file", new TextEncoder().encode("#!/bin/sh\n".repeat(200)), NO_SEGMENT],
    ["a damaged layout of another version", changed(50, [0]), NO_SEGMENT],
    ["a size beyond the file", changed(12, [255, 255, 255, 255]), NO_SEGMENT],
    [
      "another format",
      changed(8, [2], "right"),
      "it is of another version of tcpspan (format 2, expected 1)",
    ],
    ["a damaged format and layout of another version", changed(8, [2]), NO_SEGMENT],
    [
      "a damaged header of another format, with today's layout",
      damaged(changed(8, [2], "right", RECORD_DESCRIPTION), 30),
      NO_SEGMENT,
    ],
    ["an invalid layout", changed(40, [0], "right"), "its records have an unknown layout"],
  ] as const
) {
  Deno.test(`${name} is not taken for a header`, () => assert.equal(readHeader(bytes), why));
}

Deno.test("a few wrong bytes in a header of today's layout lose nothing", () => {
  for (let at = 0; at < makeHeader(ID, BOOT).length; at++) {
    const found = readHeader(changed(at, [0xff], "wrong", RECORD_DESCRIPTION));
    assert.ok(typeof found === "object", `byte ${at}: ${found}`);
    assert.equal(found.size, makeHeader(ID, BOOT).length);
    assert.equal(found.translation.isIdentity, true);
  }
});

Deno.test("many wrong bytes are taken for another layout", () => {
  const many = changed(100, Array(17).fill(0xff), "wrong", RECORD_DESCRIPTION);
  assert.equal(readHeader(many), NO_SEGMENT);
});
