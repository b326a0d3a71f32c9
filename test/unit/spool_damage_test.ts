/** Whatever happened to a spool's files, what is whole is delivered, and the rest reported. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { FRAME_HEADER, writeFrameHeader } from "../../src/queue/spool/frame.ts";
import { HEADER_SIZE, makeHeader } from "../../src/queue/spool/segment_header.ts";
import { bootId } from "../../src/host/procfs.ts";
import { RECORD } from "../../src/session/record_layout.ts";
import { ManualClock } from "../manual_clock.ts";
import {
  crash,
  drain,
  FOLDER,
  openSpool,
  pidRange,
  pids,
  segments,
  sessions,
  takeOne,
} from "../spool.ts";
import { makeMemoryFolder, type TempFolder } from "../temp_folder.ts";

const FRAMES = [2, 3, 2]; // sessions in each

/** A segment of `FRAMES`, as a process leaves it when it is killed, or ends. */
async function segmentOf(end: "crash" | "close"): Promise<Uint8Array<ArrayBuffer>> {
  await using folder = await makeMemoryFolder();
  await using other = await makeMemoryFolder();
  const open = openSpool(folder.path);
  let first = 1;
  for (const count of FRAMES) {
    open.spool.append(sessions(first, count), "drop_newest");
    first += count;
  }
  if (end === "crash") crash(folder.path, other.path);
  await open.spool.close();
  const [path = ""] = segments(end === "crash" ? other.path : folder.path);
  return Deno.readFileSync(path);
}

const TORN = await segmentOf("crash");
const SEALED = await segmentOf("close");

/** Where each frame begins, and the last one ends. */
const STARTS = FRAMES.reduce(
  (starts, count) => [...starts, (starts.at(-1) ?? 0) + FRAME_HEADER + count * RECORD.size],
  [HEADER_SIZE],
);

/** A folder with a spool of these segments. */
async function spoolOf(...files: readonly Uint8Array[]): Promise<TempFolder> {
  const folder = await makeMemoryFolder();
  Deno.mkdirSync(join(folder.path, FOLDER), { mode: 0o700 });
  files.forEach((bytes, i) => Deno.writeFileSync(segmentPath(folder, i + 1), bytes));
  return folder;
}

function segmentPath(folder: TempFolder, number: number): string {
  return join(folder.path, FOLDER, `${String(number).padStart(16, "0")}.seg`);
}

/** What a spool of these segments delivers, counts and says. */
async function deliver(...files: readonly Uint8Array[]) {
  await using folder = await spoolOf(...files);
  const open = openSpool(folder.path);
  const found = drain(open.spool);
  const { restored, corrupt, corruptBytes } = open.counters;
  assert.equal(open.spool.length, 0);
  assert.equal(restored, found.length + corrupt);
  await open.spool.close();
  const left = [...Deno.readDirSync(join(folder.path, FOLDER))].map(({ name }) => name)
    .filter((name) => name.endsWith(".seg")).sort();
  return { found, corrupt, corruptBytes, warnings: open.warnings, left };
}

const ALL = pidRange(1, 7);

Deno.test("a segment that is whole is delivered, sealed or not", async () => {
  for (const segment of [TORN, SEALED]) {
    assert.deepEqual(await deliver(segment), {
      found: ALL,
      corrupt: 0,
      corruptBytes: 0,
      warnings: [],
      left: [],
    });
  }
  assert.equal(SEALED.length, TORN.length + FRAME_HEADER);
});

Deno.test("torn at any byte of its last frame: the rest is delivered, the cut reported", async () => {
  const [, , start = 0, end = 0] = STARTS;
  assert.equal(end, TORN.length);
  for (let size = start + 1; size < end; size++) {
    const { found, corrupt, corruptBytes, warnings } = await deliver(TORN.subarray(0, size));
    assert.deepEqual(found, pidRange(1, 5), `${size} bytes`);
    assert.deepEqual([corrupt, corruptBytes], [0, size - start]);
    assert.deepEqual(warnings, [
      `SPOOL/0000000000000001.seg: cut ${size - start} bytes off its end, which were not wholly ` +
      "written; what is whole is delivered",
    ]);
  }
});

Deno.test("a last frame with a wrong record is counted; one that was hardly begun is not", async () => {
  const [, , start = 0] = STARTS;
  const bytes = Buffer.concat([TORN, TORN.subarray(start, start + 9)]);
  bytes[start + 50] = 0xee;
  const { found, corrupt, corruptBytes, warnings } = await deliver(bytes);
  assert.deepEqual([found, corrupt, corruptBytes], [pidRange(1, 5), 2, bytes.length - start]);
  assert.deepEqual(warnings, [
    `SPOOL/0000000000000001.seg: ${
      592 + 9
    } bytes at ${start} are damaged; what is whole is delivered`,
  ]);
});

Deno.test("the cut is made in the file, so that it is reported once", async () => {
  await using folder = await spoolOf(TORN.subarray(0, -1));
  for (const reports of [1, 0]) {
    const open = openSpool(folder.path);
    assert.equal(open.spool.length, 5);
    assert.equal(open.warnings.length, reports);
    await open.spool.close();
  }
});

Deno.test("the next frames are written over what a failed write left", async () => {
  await using folder = await makeMemoryFolder();
  await using open = openSpool(folder.path);
  open.spool.append(sessions(1, 2), "drop_newest");
  const [, start = 0, end = 0] = STARTS; // of a frame of three
  Deno.writeFileSync(segmentPath(folder, 1), TORN.subarray(start, end - 1), { append: true });
  for (let pid = 3; pid <= 8; pid++) {
    open.spool.append(sessions(pid, 1), "drop_newest");
    await using other = await makeMemoryFolder();
    crash(folder.path, other.path);
    await using after = openSpool(other.path);
    assert.deepEqual(drain(after.spool), pidRange(1, pid));
    assert.equal(after.counters.corrupt, 0);
    // 879 bytes were left, and a frame of one session has 304
    assert.equal(after.counters.corruptBytes, Math.max(0, 879 - (pid - 2) * 304));
  }
  assert.deepEqual(drain(open.spool), pidRange(1, 8));
  assert.deepEqual(open.warnings, []);
});

Deno.test("an empty segment, as a kill during its start leaves it, is removed", async () => {
  const { found, warnings, left } = await deliver(new Uint8Array());
  assert.deepEqual([found, warnings, left], [[], [], []]);
});

Deno.test("a segment that is torn within its header is left alone", async () => {
  for (const size of [1, 8, 23, 24, HEADER_SIZE - 1]) {
    const { found, warnings, left } = await deliver(TORN.subarray(0, size));
    assert.deepEqual([found, left], [[], ["0000000000000001.seg"]]);
    assert.deepEqual(warnings, [
      "SPOOL/0000000000000001.seg is left alone: it is no segment of a queue, or its beginning is " +
      "damaged",
    ]);
  }
});

/** The bytes at which a bit is flipped: all of headers, some of each record. */
function* bytesOf(segment: Uint8Array): Generator<number> {
  for (let at = 0; at < segment.length; at++) {
    const frame = STARTS.findLast((start) => start <= at) ?? 0;
    if (at < HEADER_SIZE || at - frame < FRAME_HEADER || at % 23 === 0) yield at;
  }
}

for (const [name, segment] of [["sealed", SEALED], ["not sealed", TORN]] as const) {
  Deno.test(`one flipped bit in a segment, ${name}: one frame is lost at most, and reported`, async () => {
    let next = 1;
    const frames = FRAMES.map((count) => pidRange((next += count) - count, count));
    for (const at of bytesOf(segment)) {
      const bytes = Uint8Array.from(segment);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
      const { found, corrupt, corruptBytes, warnings, left } = await deliver(bytes);
      const hit = STARTS.findLastIndex((start) => start <= at);
      const whole = frames.filter((_, i) => i !== hit).flat();
      assert.deepEqual(found, whole, `byte ${at}`);
      assert.deepEqual(left, []);
      const lost = hit < 0 || hit === FRAMES.length ? 0 : FRAMES[hit] ?? 0;
      const isInRecord = hit >= 0 && at >= (STARTS[hit] ?? 0) + FRAME_HEADER;
      if (segment === SEALED && hit < FRAMES.length || isInRecord) {
        assert.equal(corrupt, lost, `byte ${at}`); // the seal or the frame says how many
      }
      assert.ok(corruptBytes >= lost * RECORD.size);
      assert.equal(warnings.length, hit < 0 ? 0 : 1, `byte ${at}: ${warnings}`);
    }
  });
}

/** A segment of one frame with the sessions from `first` on. */
async function segmentFrom(first: number, count: number): Promise<Uint8Array<ArrayBuffer>> {
  await using folder = await makeMemoryFolder();
  const open = openSpool(folder.path);
  open.spool.append(sessions(first, count), "drop_newest");
  await open.spool.close();
  return Deno.readFileSync(segments(folder.path)[0] ?? "");
}

Deno.test("segments under each other's names are delivered, in the order of the names", async () => {
  const [first, second, third] = await Promise.all([1, 6, 11].map((n) => segmentFrom(n, 5)));
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const { found, warnings } = await deliver(third, first, second);
  assert.deepEqual(found, [...pidRange(11, 5), ...pidRange(1, 10)]);
  assert.deepEqual(warnings, []);
});

Deno.test("segments that change names are delivered from where the first was done", async () => {
  await using folder = await makeMemoryFolder();
  const before = openSpool(folder.path, { batchSize: 4 });
  before.spool.append(sessions(1, 30), "drop_newest"); // 11 in a segment
  const taken = before.spool.take();
  assert.ok(taken !== undefined);
  before.spool.done(taken);
  await before.spool.close();
  Deno.renameSync(segmentPath(folder, 1), segmentPath(folder, 9));
  Deno.renameSync(segmentPath(folder, 2), segmentPath(folder, 1));
  await using after = openSpool(folder.path);
  assert.deepEqual(drain(after.spool), [...pidRange(12, 19), ...pidRange(5, 7)]);
});

Deno.test("a segment that is there twice is delivered twice", async () => {
  const { found } = await deliver(SEALED, SEALED);
  assert.deepEqual(found, [...ALL, ...ALL]);
});

Deno.test("a segment in which bytes are missing, or were added, gives what is whole", async () => {
  const [, second = 0, third = 0] = STARTS;
  const hole = Buffer.concat([SEALED.subarray(0, second + 100), SEALED.subarray(second + 150)]);
  assert.deepEqual((await deliver(hole)).found, [1, 2, 6, 7]);
  const bulge = Buffer.concat([
    SEALED.subarray(0, third),
    new Uint8Array(999).fill(0xf5),
    SEALED.subarray(third),
  ]);
  assert.deepEqual((await deliver(bulge)).found, ALL);
});

Deno.test("zeros behind what was written, as power loss leaves them, are cut off", async () => {
  const { found, warnings } = await deliver(Buffer.concat([TORN, new Uint8Array(3000)]));
  assert.deepEqual(found, ALL);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /cut 3000 bytes/);
});

Deno.test("what is not a segment is left alone, and reported", async () => {
  const { found, warnings, left } = await deliver(
    SEALED,
    new TextEncoder().encode("hello".repeat(1000)),
    SEALED,
  );
  assert.deepEqual(found, [...ALL, ...ALL]);
  assert.deepEqual(left, ["0000000000000002.seg"]);
  assert.deepEqual(warnings, [
    "SPOOL/0000000000000002.seg is left alone: it is no segment of a queue, or its beginning is " +
    "damaged",
  ]);
});

Deno.test("files of others in the folder are left alone, and reported", async () => {
  await using folder = await spoolOf(SEALED);
  const others = ["9999999999999999.seg", "core", "1.seg", "0000000000000003.seg"];
  for (const name of others.slice(0, 3)) {
    Deno.writeTextFileSync(join(folder.path, FOLDER, name), "x");
  }
  Deno.mkdirSync(join(folder.path, FOLDER, others[3] ?? ""));
  const open = openSpool(folder.path);
  assert.deepEqual(
    open.warnings,
    others.toSorted().map((name) => `SPOOL/${name} is left alone: it is no part of a queue`),
  );
  assert.deepEqual(drain(open.spool), ALL);
  assert.equal(open.spool.append(sessions(1, 40), "drop_newest"), 40); // past the folder's name
  assert.deepEqual(drain(open.spool), pidRange(1, 40));
  await open.spool.close();
  const left = [...Deno.readDirSync(join(folder.path, FOLDER))].map(({ name }) => name);
  for (const name of others) assert.ok(left.includes(name), name);
});

Deno.test("a segment of another format is left for the version that knows it", async () => {
  const other = Buffer.from(SEALED);
  other[8] = 2;
  other.writeUInt32LE(crc32(other.subarray(0, HEADER_SIZE - 4)), HEADER_SIZE - 4);
  const { found, warnings, left } = await deliver(other, SEALED);
  assert.deepEqual([found, left], [ALL, ["0000000000000001.seg"]]);
  assert.deepEqual(warnings, [
    "SPOOL/0000000000000001.seg is left alone: it is of another version of tcpspan (format 2, " +
    "expected 1)",
  ]);
});

Deno.test("records of another layout are translated", async () => {
  const layout = "size:16 netns:0:4 owner_pid:4:4 new_one:8:8";
  const header = makeHeader("0011223344556677", bootId(), layout);
  const frame = Buffer.alloc(FRAME_HEADER + 3 * 16);
  for (const i of [0, 1, 2]) frame.writeUInt32LE(70 + i, FRAME_HEADER + i * 16 + 4);
  const bytes = Uint8Array.from(frame);
  writeFrameHeader(bytes, 3 * 16, crc32(new TextEncoder().encode(layout)));
  const { found, corrupt } = await deliver(SEALED, Buffer.concat([header, bytes]), SEALED);
  assert.deepEqual(found, [...ALL, 70, 71, 72, ...ALL]);
  assert.equal(corrupt, 0);
});

Deno.test("sessions of an earlier boot have no cgroup, because its id may be another's by now", async () => {
  const frame = SEALED.subarray(HEADER_SIZE);
  for (const boot of [bootId(), "00112233445566778899aabbccddeeff"]) {
    const header = makeHeader("0011223344556677", boot);
    await using folder = await spoolOf(Buffer.concat([header, frame]));
    await using open = openSpool(folder.path);
    const taken = takeOne(open.spool);
    const cgroups = [...taken.batch].map(({ cgroupId }) => cgroupId);
    assert.deepEqual(cgroups, ALL.map(() => boot === bootId() ? 7n : 0n));
    assert.deepEqual(pids(taken.batch), ALL);
    open.spool.done(taken);
  }
});

Deno.test("a frame with more sessions than a batch is delivered in several", async () => {
  await using folder = await spoolOf(SEALED);
  await using open = openSpool(folder.path, { batchSize: 1 });
  assert.deepEqual(drain(open.spool), ALL);
});

for (const end of ["its end", "close()", "drop_oldest"] as const) {
  Deno.test(`the sum of several damaged places in a segment is reported: ${end}`, async () => {
    const bytes = Uint8Array.from(SEALED);
    for (const start of STARTS.slice(0, 2)) bytes[start + 50] = 0xee;
    const one = Uint8Array.from(SEALED);
    one[(STARTS[0] ?? 0) + 50] = 0xee;
    await using folder = await spoolOf(bytes, one);
    const { spool, warnings } = openSpool(folder.path, { batchSize: 1 });
    const [first = 0, second = 0, third = 0] = STARTS;
    const expected = [
      `SPOOL/0000000000000001.seg: ${
        second - first
      } bytes at ${first} are damaged; what is whole is ` +
      "delivered",
    ];
    spool.done(takeOne(spool));
    assert.deepEqual(warnings, expected);
    if (end === "drop_oldest") {
      for (let next = 1; spool.append(sessions(next, 40), end) > 0 && next < 200;) next += 40;
    } else if (end === "its end") drain(spool);
    await spool.close();
    expected.push(
      `SPOOL/0000000000000001.seg: ${third - first} bytes in 2 places are damaged`,
    );
    if (end === "its end") {
      expected.push(
        `SPOOL/0000000000000002.seg: ${second - first} bytes in one place are damaged`,
      );
    }
    assert.deepEqual(warnings, expected);
  });
}

Deno.test("a segment in which nothing is whole is removed once that is seen", async () => {
  const bytes = Uint8Array.from(SEALED);
  for (const start of STARTS.slice(0, -1)) bytes[start + 50] = 0xee;
  await using folder = await spoolOf(bytes);
  await using open = openSpool(folder.path);
  assert.equal(open.spool.length, 7);
  assert.equal(open.spool.take(), undefined);
  assert.deepEqual([open.spool.length, open.counters.corrupt], [0, 7]);
  assert.deepEqual([segments(folder.path), open.spool.bytes], [[], 0]);
});

Deno.test("a file that is removed while it waits is lost, counted and reported", async () => {
  await using folder = await makeMemoryFolder();
  await using open = openSpool(folder.path);
  open.spool.append(sessions(1, 40), "drop_newest"); // 11 in a segment
  Deno.removeSync(segmentPath(folder, 2));
  assert.deepEqual(drain(open.spool), [...pidRange(1, 11), ...pidRange(23, 18)]);
  assert.equal(open.counters.corrupt, 11);
  assert.equal(open.spool.length, 0);
  assert.deepEqual(open.warnings, ["cannot read SPOOL/0000000000000002.seg: it was removed"]);
});

Deno.test("a file that is removed while it is read is read to its end, also if it is full by then", async () => {
  await using folder = await makeMemoryFolder();
  await using open = openSpool(folder.path, { batchSize: 5 });
  const { spool, counters } = open;
  spool.append(sessions(1, 11), "drop_newest"); // all that the segment has room for
  spool.done(takeOne(spool));
  spool.append(sessions(12, 1), "drop_newest");
  Deno.removeSync(segmentPath(folder, 1));
  assert.deepEqual(drain(spool), pidRange(6, 7));
  assert.equal(counters.corrupt, 0);
});

Deno.test("drop_oldest drops nothing to make room on a disk that cannot be written", async () => {
  await using folder = await makeMemoryFolder();
  const clock = new ManualClock();
  await using open = openSpool(folder.path, { clock });
  open.spool.append(sessions(1, 40), "drop_oldest"); // 11 in a segment
  Deno.removeSync(segmentPath(folder, 4)); // that which is written
  await clock.advance(1000); // it is looked for once a second
  assert.equal(open.spool.append(sessions(41, 20), "drop_oldest"), 0);
  assert.deepEqual([open.spool.isFaulty, open.counters.dropped], [true, 0]);
  assert.deepEqual(drain(open.spool), pidRange(1, 40));
});

Deno.test("what is left in a file that was removed is lost at the end, counted and reported", async () => {
  await using folder = await makeMemoryFolder();
  const { spool, counters, warnings } = openSpool(folder.path, { batchSize: 5 });
  spool.append(sessions(1, 40), "drop_newest"); // 11 in a segment
  spool.done(takeOne(spool));
  for (const taken of [takeOne(spool), takeOne(spool)]) spool.leave(taken); // of two segments
  Deno.removeSync(segmentPath(folder, 1));
  Deno.renameSync(segmentPath(folder, 3), join(folder.path, "elsewhere"));
  await spool.close();
  assert.deepEqual([spool.length, counters.corrupt], [18, 6 + 11]);
  assert.deepEqual(warnings, ["cannot read SPOOL/0000000000000001.seg: it was removed"]);
  await using after = openSpool(folder.path);
  assert.equal(after.spool.length, 18);
  assert.deepEqual(drain(after.spool), [...pidRange(12, 11), ...pidRange(34, 7)]);
});

Deno.test("what was left in a file is lost if another file is in its place at the end", async () => {
  await using folder = await makeMemoryFolder();
  const { spool, counters } = openSpool(folder.path);
  spool.append(sessions(1, 5), "drop_newest");
  const path = segmentPath(folder, 1);
  Deno.writeTextFileSync(`${path}.other`, "");
  Deno.renameSync(`${path}.other`, path);
  await spool.close();
  assert.deepEqual([spool.length, counters.corrupt], [0, 5]);
  assert.equal(Deno.readTextFileSync(path), "");
});

Deno.test("bits that flip in a file while it waits cost its frame, counted and reported", async () => {
  await using folder = await makeMemoryFolder();
  await using open = openSpool(folder.path);
  open.spool.append(sessions(1, 5), "drop_newest");
  open.spool.append(sessions(6, 5), "drop_newest");
  using file = Deno.openSync(segmentPath(folder, 1), { write: true });
  file.seekSync(HEADER_SIZE + FRAME_HEADER + 50, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array(1).fill(0xee));
  assert.deepEqual(drain(open.spool), pidRange(6, 5));
  assert.deepEqual([open.counters.corrupt, open.spool.length], [5, 0]);
  assert.deepEqual(open.warnings, [
    `SPOOL/0000000000000001.seg: 1456 bytes at ${HEADER_SIZE} are damaged; what is whole is delivered`,
  ]);
  open.spool.append(sessions(11, 3), "drop_newest");
  assert.deepEqual(drain(open.spool), pidRange(11, 3));
});

/** A disk on which each write ends with an error after so many bytes, and nothing can be cut off. */
function failingDisk(...written: number[]): Disposable {
  const { truncateSync, writeSync } = Deno.FsFile.prototype;
  const fail = () => {
    throw Object.assign(new Error("Input/output error (os error 5)"), { code: "EIO" });
  };
  Deno.FsFile.prototype.writeSync = function (bytes) {
    writeSync.call(this, bytes.subarray(0, written.shift() ?? 0));
    return fail();
  };
  Deno.FsFile.prototype.truncateSync = fail;
  return {
    [Symbol.dispose]: () => Object.assign(Deno.FsFile.prototype, { truncateSync, writeSync }),
  };
}

Deno.test("writes that failed and could not be taken back are not counted as sessions", async () => {
  await using folder = await makeMemoryFolder();
  await using other = await makeMemoryFolder();
  const clock = new ManualClock();
  await using open = openSpool(folder.path, { clock });
  open.spool.append(sessions(1, 2), "drop_newest");
  {
    using _disk = failingDisk(9 * RECORD.size, 2 * RECORD.size);
    assert.equal(open.spool.append(sessions(3, 9), "drop_newest"), 0);
    await clock.advance(1000);
    assert.equal(open.spool.append(sessions(3, 5), "drop_newest"), 0); // within what is left of 9
    crash(folder.path, other.path);
  }
  {
    await using after = openSpool(other.path);
    assert.deepEqual(drain(after.spool), [1, 2]);
    assert.deepEqual([after.counters.restored, after.counters.corrupt], [2, 0]);
  }
  await clock.advance(1000);
  assert.equal(open.spool.append(sessions(3, 5), "drop_newest"), 5); // the disk works again
  assert.deepEqual(drain(open.spool), pidRange(1, 7));
});
