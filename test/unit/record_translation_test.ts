import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { SessionBatch } from "../../src/session/batch.ts";
import { RECORD, RECORD_DESCRIPTION } from "../../src/session/record_layout.ts";
import { RecordTranslation } from "../../src/session/record_translation.ts";
import { makeBatch } from "../fixtures.ts";

function translation(description: string): RecordTranslation {
  const found = RecordTranslation.of(description);
  assert.ok(found !== undefined, `no translation of ${description}`);
  return found;
}

/** `source` in today's layout. */
function translate(description: string, source: Uint8Array, count = 1): SessionBatch {
  const target = new Uint8Array(count * RECORD.size).fill(0xff); // old contents must not show
  translation(description).translate(source, count, target);
  return new SessionBatch(target);
}

/** The members of today's record: `name:offset:size`. */
const MEMBERS = RECORD_DESCRIPTION.split(" ").slice(1).map((text) => {
  const [name = "", offset, size] = text.split(":");
  return { name, offset: Number(offset), size: Number(size) };
});

Deno.test("records of today's layout are copied as they are", () => {
  const { bytes } = makeBatch({ owner_pid: 1 }, { owner_pid: 2 });
  const same = translation(RECORD_DESCRIPTION);
  assert.equal(same.isIdentity, true);
  assert.equal(same.sourceSize, RECORD.size);
  assert.deepEqual(translate(RECORD_DESCRIPTION, bytes, 2).bytes, bytes);
});

Deno.test("a member is found by its name, wherever the other layout has it", () => {
  const source = Buffer.alloc(24);
  source.writeUInt16LE(443, 2);
  source.writeUInt32LE(4711, 8);
  source.writeBigUInt64LE(2n ** 60n, 16);
  const description = "size:24 local_port:2:2 owner_pid:8:4 bytes_received:16:8";
  assert.equal(translation(description).isIdentity, false);
  const bytes = Buffer.from(translate(description, source).bytes);
  assert.equal(bytes.readUInt32LE(RECORD.owner_pid), 4711);
  assert.equal(bytes.readUInt16LE(RECORD.local_port), 443);
  assert.equal(bytes.readBigUInt64LE(RECORD.bytes_received), 2n ** 60n);
});

Deno.test("what the other layout lacks is zero, what today's lacks is left out", () => {
  const source = new Uint8Array(8).fill(0xaa);
  const { bytes } = translate("size:8 new_in_another_version:0:8", source);
  assert.deepEqual(bytes, new Uint8Array(RECORD.size));
});

Deno.test("a shorter member is extended with zeros, a longer one loses its upper bytes", () => {
  const source = Buffer.alloc(12);
  source.writeUInt16LE(65535, 0); // a pid of 16 bits
  source.writeBigUInt64LE(0xffff_ffff_ffff_1f90n, 4); // a port of 64 bits
  const bytes = Buffer.from(translate("size:12 owner_pid:0:2 peer_port:4:8", source).bytes);
  assert.equal(bytes.readUInt32LE(RECORD.owner_pid), 65535);
  assert.equal(bytes.readUInt16LE(RECORD.peer_port), 0x1f90);
  // its neighbours are not overwritten
  assert.equal(bytes.readUInt16LE(RECORD.err), 0);
  assert.equal(bytes.readUInt16LE(RECORD.last_state), 0);
});

Deno.test("each of several records is translated", () => {
  const source = Buffer.alloc(3 * 4);
  for (const i of [0, 1, 2]) source.writeUInt32LE(i + 1, i * 4);
  const pids = [...translate("size:4 owner_pid:0:4", source, 3)].map(({ pid }) => pid);
  assert.deepEqual(pids, [1, 2, 3]);
});

Deno.test("any other order of today's members gives the same record back", () => {
  fc.assert(fc.property(
    fc.shuffledSubarray(MEMBERS, { minLength: MEMBERS.length }),
    fc.array(fc.nat({ max: 16 }), { minLength: MEMBERS.length, maxLength: MEMBERS.length }),
    fc.uint8Array({ minLength: 2 * RECORD.size, maxLength: 2 * RECORD.size }),
    (members, gaps, today) => {
      let size = 0;
      const moved = members.map(({ name, offset, size: length }, i) => {
        const to = size + (gaps[i] ?? 0);
        size = to + length;
        return { name, offset, to, length };
      });
      const other = new Uint8Array(2 * size);
      const expected = new Uint8Array(2 * RECORD.size);
      for (const record of [0, 1]) {
        for (const { offset, to, length } of moved) {
          const part = today.subarray(record * RECORD.size + offset).subarray(0, length);
          other.set(part, record * size + to);
          expected.set(part, record * RECORD.size + offset);
        }
      }
      const text = moved.map(({ name, to, length }) => `${name}:${to}:${length}`).join(" ");
      assert.deepEqual(translate(`size:${size} ${text}`, other, 2).bytes, expected);
    },
  ));
});

for (
  const [why, description] of [
    ["empty", ""],
    ["no size", "owner_pid:0:4"],
    ["no members", "size:288"],
    ["a size of nothing", "size:0 owner_pid:0:4"],
    ["an absurd size", "size:999999 owner_pid:0:4"],
    ["a member beyond the record", "size:8 owner_pid:6:4"],
    ["a member of no bytes", "size:8 owner_pid:0:0"],
    ["a member twice", "size:8 owner_pid:0:4 owner_pid:4:4"],
    ["a negative offset", "size:8 owner_pid:-4:4"],
    ["a member cut off", "size:8 owner_pid:0:4 netns:4"],
    ["two spaces", "size:8  owner_pid:0:4"],
  ] as const
) {
  Deno.test(`a description with ${why} is invalid`, () => {
    assert.equal(RecordTranslation.of(description), undefined);
  });
}

Deno.test("translate() refuses memory that is too short", () => {
  const short = translation("size:4 owner_pid:0:4");
  assert.throws(() => short.translate(new Uint8Array(7), 2, new Uint8Array(2 * RECORD.size)), {
    name: "RangeError",
    message: "cannot translate 2 records from 7 to 576 bytes",
  });
  assert.throws(() => short.translate(new Uint8Array(8), 2, new Uint8Array(575)), RangeError);
});

Deno.test("no description makes of() throw", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    RecordTranslation.of(text);
    RecordTranslation.of(`size:16 ${text}`);
  }));
});
