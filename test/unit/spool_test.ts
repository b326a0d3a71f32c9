/** A spool's promises: what was appended is taken, after whatever happened to its files. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { SpoolFolder } from "../../src/queue/spool/folder.ts";
import {
  crash,
  drain,
  EXPORTER,
  fileNames,
  FOLDER,
  openSpool,
  pidRange,
  pids,
  segments,
  sessions,
  takeOne,
} from "../spool.ts";
import { makeTempFolder } from "../temp_folder.ts";

Deno.test("what was appended is taken in its order, in batches, over segments", async () => {
  await using folder = await makeTempFolder();
  await using open = openSpool(folder.path, { maxBytes: 2 ** 20, batchSize: 40 });
  const { spool } = open;
  for (const first of [1, 31, 61]) {
    assert.equal(spool.append(sessions(first, 30), "drop_newest"), 30);
  }
  spool.append(sessions(91, 1000), "drop_newest");
  assert.equal(spool.length, 1090);
  assert.ok(segments(folder.path).length > 1);
  const batches: number[][] = [];
  for (let taken = spool.take(); taken !== undefined; taken = spool.take()) {
    batches.push(pids(taken.batch));
    spool.done(taken);
  }
  assert.deepEqual(batches.flat(), pidRange(1, 1090));
  assert.deepEqual(batches.slice(0, -1).map(({ length }) => length), Array(27).fill(40));
  assert.equal(spool.length, 0);
  assert.deepEqual(open.warnings, []);
});

Deno.test("a spool whose sessions are all done leaves no segment", async () => {
  await using folder = await makeTempFolder();
  const { spool } = openSpool(folder.path);
  spool.append(sessions(1, 25), "drop_newest");
  assert.equal(segments(folder.path).length, 3);
  drain(spool);
  assert.equal(segments(folder.path).length, 1); // the one that is written
  await spool.close();
  assert.deepEqual(fileNames(folder.path), ["delivered"]);
  assert.equal(spool.bytes, 0);
});

Deno.test("files and folders are their owner's alone", async () => {
  await using folder = await makeTempFolder();
  const storage = join(folder.path, "storage");
  await using open = openSpool(storage);
  open.spool.append(sessions(1, 1), "drop_newest");
  drain(open.spool);
  const mode = (path: string) => ((Deno.statSync(path).mode ?? 0) & 0o777).toString(8);
  assert.equal(mode(storage), "700");
  assert.equal(mode(join(storage, FOLDER)), "700");
  for (const { name } of Deno.readDirSync(join(storage, FOLDER))) {
    assert.equal(mode(join(storage, FOLDER, name)), "600", name);
  }
});

Deno.test("what was left is there after a close, and after a crash, and is counted", async () => {
  for (const end of ["close", "crash"]) {
    await using folder = await makeTempFolder();
    await using other = await makeTempFolder();
    const before = openSpool(folder.path);
    before.spool.append(sessions(1, 25), "drop_newest");
    if (end === "crash") crash(folder.path, other.path);
    await before.spool.close();
    await using after = openSpool(end === "crash" ? other.path : folder.path);
    assert.deepEqual([after.spool.length, after.counters.restored], [25, 25], end);
    assert.deepEqual(drain(after.spool), pidRange(1, 25));
    assert.deepEqual(after.warnings, []);
  }
});

Deno.test("what is done is not taken again after a crash, not one session of it", async () => {
  await using folder = await makeTempFolder();
  await using open = openSpool(folder.path, { batchSize: 7 });
  open.spool.append(sessions(1, 40), "drop_newest");
  for (let done = 0; done < 35; done += 7) {
    await using other = await makeTempFolder();
    crash(folder.path, other.path);
    await using after = openSpool(other.path);
    assert.equal(after.spool.length, 40 - done);
    assert.deepEqual(drain(after.spool), pidRange(1 + done, 40 - done));
    open.spool.done(takeOne(open.spool));
  }
});

Deno.test("done out of order: what is not done is taken again, with what came after it", async () => {
  await using folder = await makeTempFolder();
  await using other = await makeTempFolder();
  await using open = openSpool(folder.path, { batchSize: 10 });
  open.spool.append(sessions(1, 40), "drop_newest");
  const [first, second, third] = [open.spool, open.spool, open.spool].map(takeOne);
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  open.spool.done(first);
  open.spool.done(third);
  crash(folder.path, other.path);
  await using after = openSpool(other.path);
  assert.deepEqual(drain(after.spool), pidRange(11, 30));
  open.spool.done(second);
  assert.deepEqual(segments(folder.path).length, 2); // the fourth batch ends in the third segment
  assert.deepEqual(drain(open.spool), pidRange(31, 10));
});

Deno.test("what was taken and left is there for the next run", async () => {
  await using folder = await makeTempFolder();
  const before = openSpool(folder.path, { batchSize: 10 });
  before.spool.append(sessions(1, 30), "drop_newest");
  before.spool.done(takeOne(before.spool));
  before.spool.leave(takeOne(before.spool));
  assert.equal(before.spool.length, 20);
  await before.spool.close();
  await using after = openSpool(folder.path);
  assert.deepEqual(drain(after.spool), pidRange(11, 20));
});

Deno.test("a cursor that is lost, torn or another spool's costs duplicates, and loses nothing", async () => {
  for (
    const spoil of [
      (path: string) => Deno.removeSync(path),
      (path: string) => Deno.truncateSync(path, 11),
      (path: string) => Deno.writeFileSync(path, new Uint8Array(24).fill(7)),
      (path: string) => {
        const bytes = Deno.readFileSync(path);
        bytes[8] = (bytes[8] ?? 0) ^ 1;
        Deno.writeFileSync(path, bytes);
      },
    ]
  ) {
    await using folder = await makeTempFolder();
    const before = openSpool(folder.path, { batchSize: 5 });
    before.spool.append(sessions(1, 10), "drop_newest");
    before.spool.done(takeOne(before.spool));
    await before.spool.close();
    spoil(join(folder.path, FOLDER, "delivered"));
    await using after = openSpool(folder.path);
    assert.equal(after.spool.length, 10);
    assert.deepEqual(drain(after.spool), pidRange(1, 10));
  }
});

Deno.test("a full spool takes what fits, and then nothing: drop_newest", async () => {
  await using folder = await makeTempFolder();
  await using open = openSpool(folder.path);
  const taken = open.spool.append(sessions(1, 200), "drop_newest");
  assert.ok(taken > 50 && taken < 120, String(taken));
  assert.ok(open.spool.bytes <= 8 * 4096);
  assert.equal(open.spool.append(sessions(1, 1), "drop_newest"), 0);
  assert.equal(open.spool.isFaulty, false);
  assert.deepEqual(drain(open.spool), pidRange(1, taken));
  assert.equal(open.spool.append(sessions(1, 50), "drop_newest"), 50); // there is room again
  assert.equal(open.counters.dropped, 0); // the queue counts what was not taken
});

Deno.test("a full spool gives up its oldest segments: drop_oldest", async () => {
  await using folder = await makeTempFolder();
  await using open = openSpool(folder.path);
  for (let first = 1; first <= 1000; first += 4) {
    assert.equal(open.spool.append(sessions(first, 4), "drop_oldest"), 4);
    assert.ok(open.spool.bytes <= 8 * 4096);
  }
  const { dropped } = open.counters;
  assert.equal(open.spool.length, 1000 - dropped);
  assert.ok(open.spool.length > 40);
  assert.deepEqual(drain(open.spool), pidRange(1 + dropped, 1000 - dropped));
});

Deno.test("drop_oldest counts no session that was taken", async () => {
  for (const isDone of [true, false]) {
    await using folder = await makeTempFolder();
    await using open = openSpool(folder.path, { batchSize: 4 });
    const { spool, counters } = open;
    spool.append(sessions(1, 50), "drop_oldest");
    const taken = takeOne(spool); // 4 of the first segment
    assert.deepEqual(pids(taken.batch), [1, 2, 3, 4]);
    if (isDone) spool.done(taken);
    assert.equal(spool.append(sessions(51, 100), "drop_oldest"), 100);
    const rest = drain(spool);
    assert.equal(4 + counters.dropped + rest.length, 150);
    const kept = isDone ? [] : pidRange(5, 7); // the others in its segment
    const newest = rest.length - kept.length;
    assert.deepEqual(rest, [...kept, ...pidRange(151 - newest, newest)]);
    if (!isDone) spool.done(taken);
    spool.append(sessions(151, 5), "drop_oldest");
    assert.deepEqual(drain(spool), pidRange(151, 5));
  }
});

Deno.test("drop_oldest keeps what is under way, for the next run", async () => {
  await using folder = await makeTempFolder();
  const open = openSpool(folder.path, { batchSize: 15 });
  const { spool, counters } = open;
  spool.append(sessions(1, 60), "drop_oldest");
  const [first, second, third] = [spool, spool, spool].map(takeOne); // of five segments
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  spool.done(second);
  assert.equal(spool.append(sessions(61, 100), "drop_oldest"), 100);
  spool.leave(first);
  spool.leave(third);
  assert.equal(spool.length, 30 + 115 - counters.dropped);
  await spool.close();
  await using after = openSpool(folder.path, { batchSize: 1000 });
  const found = pids(takeOne(after.spool).batch);
  assert.deepEqual(found.slice(0, 45), pidRange(1, 45)); // the second too, though done
  assert.equal(found.length, spool.length + 15);
  assert.equal(found.at(-1), 160);
});

Deno.test("a spool all of which is under way takes no more: drop_oldest", async () => {
  await using folder = await makeTempFolder();
  await using open = openSpool(folder.path, { batchSize: 1 });
  const { spool, counters } = open;
  const size = spool.append(sessions(1, 200), "drop_newest");
  const underWay = pidRange(1, size).map(() => takeOne(spool));
  assert.equal(spool.append(sessions(201, 20), "drop_oldest"), 0);
  assert.equal(counters.dropped, 0); // the queue counts what was not taken
  for (const taken of underWay) spool.done(taken);
  assert.equal(spool.append(sessions(201, 20), "drop_oldest"), 20);
});

Deno.test("what is not done for long keeps only its own segments", async () => {
  await using folder = await makeTempFolder();
  await using other = await makeTempFolder();
  await using open = openSpool(folder.path, { batchSize: 4 });
  const { spool } = open;
  const delivered: number[] = [];
  spool.append(sessions(1, 20), "drop_newest");
  const stuck = takeOne(spool);
  for (let first = 21; first <= 2000; first += 20) {
    assert.equal(spool.append(sessions(first, 20), "drop_newest"), 20);
    delivered.push(...drain(spool));
  }
  assert.deepEqual(delivered, pidRange(5, 1996));
  spool.append(sessions(2001, 20), "drop_newest");
  crash(folder.path, other.path);
  await using after = openSpool(other.path);
  const again = pidRange(5, 7); // done, in the same segment
  const found = drain(after.spool);
  assert.deepEqual(found.slice(0, 11), [1, 2, 3, 4, ...again]);
  assert.deepEqual(found.slice(-20), pidRange(2001, 20));
  assert.ok(found.length <= 11 + 10 + 20, `${found.length}`); // and some of the one that was read
  spool.done(stuck);
  await using last = await makeTempFolder();
  crash(folder.path, last.path);
  await using end = openSpool(last.path);
  assert.deepEqual(drain(end.spool), pidRange(2001, 20)); // exactly, to the session
  drain(spool);
});

Deno.test("a spool that is larger than allowed is delivered, and takes nothing meanwhile", async () => {
  await using folder = await makeTempFolder();
  const before = openSpool(folder.path, { maxBytes: 2 ** 20 });
  before.spool.append(sessions(1, 1000), "drop_newest");
  await before.spool.close();
  await using after = openSpool(folder.path);
  assert.equal(after.spool.append(sessions(1, 1), "drop_newest"), 0);
  assert.deepEqual(drain(after.spool), pidRange(1, 1000));
  assert.equal(after.spool.append(sessions(1, 1), "drop_newest"), 1);
});

Deno.test("two users of one spool: the second is refused until the first has closed it", async () => {
  await using folder = await makeTempFolder();
  const first = openSpool(folder.path);
  const path = join(folder.path, FOLDER);
  const refusal = {
    name: "UsageError",
    message: `cannot use ${path}: another tcpspan uses it: stop it, or name another folder`,
  };
  assert.throws(() => SpoolFolder.probe(folder.path, EXPORTER), refusal);
  assert.throws(() => openSpool(folder.path), refusal);
  await first.spool.close();
  await openSpool(folder.path).spool.close();
});

Deno.test("each exporter has a folder of its own, whatever its id is", async () => {
  await using folder = await makeTempFolder();
  const ids = ["otlp", "otlp/a", "otlp/a b", "..", ".", "otlp/../..", "%2E", "x\u0000", "\ud800"];
  const folders = ids.map((id) => new SpoolFolder(folder.path, id));
  const paths = folders.map(({ path }) => path);
  assert.equal(new Set(paths).size, ids.length);
  for (const path of paths) assert.equal(join(path, ".."), folder.path);
  for (const each of folders) each[Symbol.dispose]();
});

const entries = (path: string) => Array.from(Deno.readDirSync(path), ({ name }) => name).sort();

Deno.test("SpoolFolder.probe() leaves nothing behind, and an existing spool as it is", async () => {
  await using folder = await makeTempFolder();
  const storage = join(folder.path, "storage");
  SpoolFolder.probe(storage, EXPORTER);
  assert.deepEqual(entries(folder.path), []);
  const { spool } = openSpool(storage);
  spool.append(sessions(1, 3), "drop_newest");
  await spool.close();
  const before = entries(join(storage, FOLDER));
  SpoolFolder.probe(storage, EXPORTER);
  assert.deepEqual(entries(join(storage, FOLDER)), before);
  await using after = openSpool(storage);
  assert.deepEqual(drain(after.spool), pidRange(1, 3));
});

for (
  const [name, make, reason] of [
    [
      "whose parent is not there",
      (path: string) => join(path, "a", "b"),
      (path: string) => `there is no folder ${join(path, "a")}: create it, or name another`,
    ],
    [
      "that is a file",
      (path: string) => {
        Deno.writeTextFileSync(join(path, "file"), "");
        return join(path, "file");
      },
      () => "Not a directory: name a folder that can be written, or change who may write it",
    ],
    [
      "that others may write",
      (path: string) => {
        Deno.mkdirSync(join(path, FOLDER));
        Deno.chmodSync(join(path, FOLDER), 0o777);
        return path;
      },
      () => `others may write it: chown it to user ${Deno.uid()}, chmod it to 700`,
    ],
    [
      "in which others could put another folder in the place of ours",
      (path: string) => {
        Deno.chmodSync(path, 0o770);
        return path;
      },
      (path: string) => `others may write ${path}: chown it to user ${Deno.uid()}, chmod it to 700`,
    ],
    [
      "that is a link to elsewhere",
      (path: string) => {
        Deno.symlinkSync("/", join(path, FOLDER));
        return path;
      },
      () => "it is not a folder",
    ],
  ] as const
) {
  Deno.test(`a storage ${name} is refused, also by a probe, which leaves nothing behind`, async () => {
    await using folder = await makeTempFolder();
    const storage = make(folder.path);
    const before = entries(folder.path);
    const message = `cannot use ${join(storage, FOLDER)}: ${reason(folder.path)}`;
    const refusal = { name: "UsageError", message };
    assert.throws(() => SpoolFolder.probe(storage, EXPORTER), refusal);
    assert.deepEqual(entries(folder.path), before);
    assert.throws(() => openSpool(storage), refusal);
  });
}

for (
  const [name, mode] of [
    ["that others may write, but not what is not theirs, as /tmp", 0o1777],
    ["that others may read", 0o755],
  ] as const
) {
  Deno.test(`a storage ${name} is used`, async () => {
    await using folder = await makeTempFolder();
    Deno.chmodSync(folder.path, mode);
    await openSpool(folder.path).spool.close();
  });
}
