/** A spool on a disk that becomes full, read-only, or goes away while it is in use. */
import assert from "node:assert/strict";
import { join } from "node:path";
import {
  crash,
  drain,
  fileNames,
  FOLDER,
  openSpool,
  pidRange,
  segments,
  sessions,
  takeOne,
} from "../spool.ts";
import { ManualClock } from "../manual_clock.ts";
import { makeReadOnly, mountSmallDisk } from "../small_disk.ts";
import { makeTempFolder } from "../temp_folder.ts";

const PAUSE_MS = 1000; // before a disk that failed is tried again

const KEPT = "until it can be written again, sessions are kept in memory as far as " +
  "sending_queue.queue_size allows";

Deno.test("a full disk: what was taken is kept whole, and the spool continues when there is room", async () => {
  await using folder = await makeTempFolder();
  await using _disk = await mountSmallDisk(folder.path, 256 * 1024);
  const ballast = join(folder.path, "ballast");
  Deno.writeFileSync(ballast, new Uint8Array(150 * 1024));
  const clock = new ManualClock();
  await using open = openSpool(folder.path, { maxBytes: 2 ** 20, clock });
  const { spool } = open;
  let next = 1;
  while (!spool.isFaulty) {
    next += spool.append(sessions(next, 20), "drop_newest");
    assert.ok(next < 1000, "the disk is never full");
  }
  assert.ok(next > 100, String(next));
  for (let i = 0; i < 1000; i++) assert.equal(spool.append(sessions(next, 20), "drop_newest"), 0);
  assert.deepEqual(open.warnings, [`cannot write to SPOOL: No space left on device; ${KEPT}`]);
  {
    await using other = await makeTempFolder();
    crash(folder.path, other.path);
    await using after = openSpool(other.path);
    assert.deepEqual(drain(after.spool), pidRange(1, next - 1));
    assert.deepEqual(after.warnings, []); // such as about a torn end
  }
  Deno.removeSync(ballast);
  await clock.advance(PAUSE_MS - 1);
  assert.equal(spool.append(sessions(next, 20), "drop_newest"), 0); // too soon to try again
  await clock.advance(1);
  assert.equal(spool.append(sessions(next, 20), "drop_newest"), 20);
  assert.equal(open.warnings[1], "SPOOL can be written again");
  assert.deepEqual(drain(spool), pidRange(1, next + 19));
  assert.deepEqual([open.counters.corrupt, open.counters.corruptBytes], [0, 0]);
});

Deno.test("a disk that stays full is tried once a second, and gets no more files", async () => {
  await using folder = await makeTempFolder();
  await using _disk = await mountSmallDisk(folder.path, 64 * 1024);
  const clock = new ManualClock();
  await using open = openSpool(folder.path, { maxBytes: 2 ** 20, clock });
  open.spool.append(sessions(1, 5), "drop_newest");
  Deno.writeFileSync(join(folder.path, "ballast"), new Uint8Array(60 * 1024 - 8192));
  let next = 6;
  for (let tries = 0; tries < 3; tries++) {
    next += open.spool.append(sessions(next, 100), "drop_newest");
    assert.equal(open.spool.isFaulty, true);
    await clock.advance(PAUSE_MS);
  }
  assert.equal(segments(folder.path).length, 1);
  assert.equal(open.warnings.length, 1);
  assert.deepEqual(drain(open.spool), pidRange(1, next - 1));
});

Deno.test("a read-only disk: what waits is delivered, and again after a restart", async () => {
  await using folder = await makeTempFolder();
  const open = openSpool(folder.path, { batchSize: 11 });
  const { spool } = open;
  spool.append(sessions(1, 30), "drop_newest"); // 11 in a segment
  {
    await using _readOnly = await makeReadOnly(folder.path);
    assert.equal(spool.append(sessions(31, 30), "drop_newest"), 3); // into the open file
    assert.equal(spool.isFaulty, true);
    assert.deepEqual(drain(spool), pidRange(1, 33));
    await spool.close();
  }
  assert.deepEqual(open.warnings, [
    `cannot write to SPOOL: Read-only file system; ${KEPT}`,
    "cannot write to SPOOL: Read-only file system; what was delivered may be delivered again " +
    "after a restart",
  ]);
  await using after = openSpool(folder.path);
  assert.deepEqual(drain(after.spool), pidRange(1, 33));
});

Deno.test("what could not be removed is removed once the disk can be written", async () => {
  await using folder = await makeTempFolder();
  const { spool } = openSpool(folder.path, { batchSize: 11 });
  spool.append(sessions(1, 30), "drop_newest");
  {
    await using _readOnly = await makeReadOnly(folder.path);
    assert.deepEqual(drain(spool), pidRange(1, 30));
  }
  await spool.close();
  assert.deepEqual(fileNames(folder.path), []);
});

for (const removed of ["storage", "folder", "segment"] as const) {
  Deno.test(`a removed ${removed} is made again, and what is in open files is delivered`, async () => {
    await using folder = await makeTempFolder();
    const storage = join(folder.path, "storage");
    const clock = new ManualClock();
    await using open = openSpool(storage, { clock });
    const { spool } = open;
    spool.append(sessions(1, 5), "drop_newest");
    const path = {
      storage,
      folder: join(storage, FOLDER),
      segment: segments(storage)[0] ?? "",
    }[removed];
    Deno.removeSync(path, { recursive: true });
    await clock.advance(PAUSE_MS);
    assert.equal(spool.append(sessions(6, 5), "drop_newest"), 0);
    assert.deepEqual(open.warnings, [`cannot write to SPOOL: it was removed; ${KEPT}`]);
    await clock.advance(PAUSE_MS);
    assert.equal(spool.append(sessions(6, 5), "drop_newest"), 5);
    assert.equal(open.warnings[1], "SPOOL can be written again");
    assert.equal(segments(storage).length, 1);
    assert.throws(() => openSpool(storage), { name: "UsageError" }); // it is locked again
    assert.deepEqual(drain(spool), pidRange(1, 10));
  });
}

Deno.test("in a folder that was made again, deliveries are recorded", async () => {
  await using folder = await makeTempFolder();
  await using other = await makeTempFolder();
  const clock = new ManualClock();
  await using open = openSpool(folder.path, { batchSize: 5, clock });
  const { spool } = open;
  spool.append(sessions(1, 10), "drop_newest");
  spool.done(takeOne(spool));
  Deno.removeSync(join(folder.path, FOLDER), { recursive: true });
  await clock.advance(PAUSE_MS);
  spool.append(sessions(11, 10), "drop_newest");
  await clock.advance(PAUSE_MS);
  assert.equal(spool.append(sessions(11, 10), "drop_newest"), 10);
  spool.done(takeOne(spool));
  spool.done(takeOne(spool));
  crash(folder.path, other.path);
  await using after = openSpool(other.path);
  assert.deepEqual(drain(after.spool), pidRange(16, 5));
});

Deno.test("a folder that another process has taken meanwhile is not used twice", async () => {
  await using folder = await makeTempFolder();
  const clock = new ManualClock();
  const first = openSpool(folder.path, { clock });
  first.spool.append(sessions(1, 5), "drop_newest");
  Deno.removeSync(join(folder.path, FOLDER), { recursive: true });
  const second = openSpool(folder.path);
  await clock.advance(PAUSE_MS);
  assert.equal(first.spool.append(sessions(6, 5), "drop_newest"), 0);
  second.spool.append(sessions(11, 5), "drop_newest");
  assert.deepEqual(drain(first.spool), pidRange(1, 5));
  await first.spool.close();
  assert.equal(segments(folder.path).length, 1); // the second spool's, of the first one's name
  assert.deepEqual(drain(second.spool), pidRange(11, 5));
  await second.spool.close();
});

Deno.test("another user's storage, where that user could replace our folder, is refused", async () => {
  await using folder = await makeTempFolder();
  await openSpool(folder.path).spool.close();
  Deno.chownSync(folder.path, 1234, null);
  assert.throws(() => openSpool(folder.path), {
    name: "UsageError",
    message: `cannot use ${join(folder.path, FOLDER)}: others may write ${folder.path}: chown it ` +
      "to user 0, chmod it to 700",
  });
});
