/** What a spool asks the system to write to the disk itself (fdatasync), and when. */
import assert from "node:assert/strict";
import { until } from "../fake_exporter.ts";
import { ManualClock, settled } from "../manual_clock.ts";
import { drain, openSpool, segments, sessions } from "../spool.ts";
import { makeTempFolder } from "../temp_folder.ts";

/** A file, and its size when it was synced. */
interface Sync {
  readonly inode: number | null;
  readonly size: number;
}

/** Notes what is synced until it is disposed of; each sync ends as `end` does. */
function watchSyncs(end: () => Promise<void> = () => Promise.resolve()) {
  const { syncData } = Deno.FsFile.prototype;
  const syncs: Sync[] = [];
  Deno.FsFile.prototype.syncData = async function () {
    const { ino, size } = this.statSync();
    syncs.push({ inode: ino, size });
    await syncData.call(this);
    await end();
  };
  return { syncs, [Symbol.dispose]: () => void (Deno.FsFile.prototype.syncData = syncData) };
}

function syncsOf(paths: readonly string[]): Sync[] {
  return paths.map((path) => Deno.statSync(path)).map(({ ino, size }) => ({ inode: ino, size }));
}

Deno.test("a segment is synced, with its seal, when it is full, and the last one at the end", async () => {
  await using folder = await makeTempFolder();
  using watch = watchSyncs();
  const { spool } = openSpool(folder.path);
  spool.append(sessions(1, 11), "drop_newest"); // that is all that fits
  await settled();
  assert.deepEqual(watch.syncs, []);
  spool.append(sessions(12, 20), "drop_newest");
  await until(() => watch.syncs.length === 2);
  assert.deepEqual(watch.syncs, syncsOf(segments(folder.path).slice(0, 2)));
  await spool.close();
  assert.deepEqual(watch.syncs, syncsOf(segments(folder.path)));
});

Deno.test("a segment whose sessions are all delivered when it is full is not synced", async () => {
  await using folder = await makeTempFolder();
  using watch = watchSyncs();
  const { spool } = openSpool(folder.path);
  spool.append(sessions(1, 11), "drop_newest");
  drain(spool);
  spool.append(sessions(12, 5), "drop_newest");
  drain(spool);
  await spool.close();
  assert.deepEqual(watch.syncs, []);
});

Deno.test("close() waits until what is left is on the disk", async () => {
  await using folder = await makeTempFolder();
  const disk = Promise.withResolvers<void>();
  using watch = watchSyncs(() => disk.promise);
  const { spool } = openSpool(folder.path);
  spool.append(sessions(1, 5), "drop_newest");
  let isClosed = false;
  const closed = spool.close().then(() => isClosed = true);
  await until(() => watch.syncs.length === 1);
  await settled();
  assert.equal(isClosed, false);
  disk.resolve();
  await closed;
});

Deno.test("a disk that cannot be synced is reported, and tried again a second later", async () => {
  await using folder = await makeTempFolder();
  const failure = Object.assign(new Error("Input/output error (os error 5)"), { code: "EIO" });
  using _watch = watchSyncs(() => Promise.reject(failure));
  const clock = new ManualClock();
  await using open = openSpool(folder.path, { clock });
  open.spool.append(sessions(1, 12), "drop_newest");
  await until(() => open.spool.isFaulty);
  assert.deepEqual(open.warnings, [
    "cannot write to SPOOL: Input/output error; until it can be written again, sessions are kept " +
    "in memory as far as sending_queue.queue_size allows",
  ]);
  await clock.advance(999);
  assert.equal(open.spool.append(sessions(13, 1), "drop_newest"), 0);
  await clock.advance(1);
  assert.equal(open.spool.append(sessions(13, 1), "drop_newest"), 1);
});
