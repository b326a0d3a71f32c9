/**
 * Segments of a spool with any contents: nothing throws or hangs, what is whole is delivered, and
 * nothing that was not written. The seeds are segments from spools, cut ones and made-up ones; each
 * session's pid is its number. FUZZ_RUNS sets how many mutations are tried.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { drain, FOLDER, openSpool } from "../spool.ts";
import { makeMemoryFolder } from "../temp_folder.ts";

const RUNS = Number(Deno.env.get("FUZZ_RUNS") ?? 200);
const SEEDS = fileURLToPath(new URL("./seeds/spool/", import.meta.url));
const LONGEST_MS = 5000; // for a few kilobytes, on a busy machine

/** A frame of a seed. */
interface Frame {
  readonly start: number;
  readonly end: number;
  readonly pids: readonly number[];
}

interface Seed {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Where its frames start; 0 if it is no segment. */
  readonly header: number;
  readonly frames: readonly Frame[];
}

/** Reads a seed as the format is documented, without the code under test. */
function readSeed(name: string): Seed {
  const bytes = Buffer.from(Deno.readFileSync(join(SEEDS, name)));
  const size = Number(/size:(\d+)/.exec(bytes.toString("latin1"))?.[1] ?? 0);
  const pid = Number(/owner_pid:(\d+):/.exec(bytes.toString("latin1"))?.[1] ?? 0);
  if (size === 0) return { name, bytes, header: 0, frames: [] };
  const frames: Frame[] = [];
  const header = bytes.readUInt32LE(12);
  for (let start = header; start + 16 <= bytes.length;) {
    const end = start + 16 + bytes.readUInt32LE(start + 4);
    const pids: number[] = [];
    for (let at = start + 16; at < end && end <= bytes.length; at += size) {
      pids.push(bytes.readUInt32LE(at + pid));
    }
    if (pids.length > 0) frames.push({ start, end, pids });
    start = end;
  }
  return { name, bytes, header, frames };
}

const seeds = [...Deno.readDirSync(SEEDS)].map(({ name }) => readSeed(name))
  .sort((a, b) => a.name < b.name ? -1 : 1);

/** Bytes that replace others. */
interface Splice {
  readonly at: number;
  readonly remove: number;
  readonly insert: Uint8Array;
}

/** What is left of a seed: its bytes, and the frames that are unchanged. */
function mutate(seed: Seed, splices: readonly Splice[]) {
  let bytes = Buffer.from(seed.bytes);
  let places = seed.frames.map(({ start, end, pids }) => ({ start, end, pids }));
  let { header } = seed;
  for (const { at: anywhere, remove, insert } of splices) {
    const at = anywhere % (bytes.length + 1);
    const behind = Math.min(bytes.length, at + remove);
    if (at < header) header = 0; // the rest may be read in any way
    bytes = Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(behind)]);
    const moved = insert.length - (behind - at);
    places = places.filter(({ start, end }) => end <= at || start >= behind)
      .map(({ start, end, pids }) =>
        start >= behind ? { start: start + moved, end: end + moved, pids } : { start, end, pids }
      );
  }
  return { bytes, whole: header === 0 ? [] : places.flatMap(({ pids }) => pids) };
}

/** The sessions that a spool of such files delivers. */
async function deliver(files: Readonly<Record<string, Uint8Array>>): Promise<number[]> {
  await using folder = await makeMemoryFolder();
  Deno.mkdirSync(join(folder.path, FOLDER), { mode: 0o700 });
  for (const [name, bytes] of Object.entries(files)) {
    Deno.writeFileSync(join(folder.path, FOLDER, name), bytes);
  }
  const began = performance.now();
  const { spool, counters } = openSpool(folder.path, { batchSize: 3 });
  const found = drain(spool);
  assert.equal(spool.length, 0);
  assert.equal(counters.restored, found.length + counters.corrupt);
  await spool.close();
  assert.ok(performance.now() - began < LONGEST_MS, "hangs");
  return found;
}

const splice: fc.Arbitrary<Splice> = fc.record({
  at: fc.nat(20_000),
  remove: fc.oneof(fc.constant(1), fc.nat(4), fc.nat(2000)),
  insert: fc.oneof(
    fc.constant(new Uint8Array()),
    fc.uint8Array({ minLength: 1, maxLength: 1 }),
    fc.uint8Array({ maxLength: 40 }),
    // a piece of a seed
    fc.record({ from: fc.nat(20), start: fc.nat(6000), length: fc.nat(1000) }).map((piece) => {
      const { bytes } = seeds[piece.from % seeds.length] ?? assert.fail();
      return bytes.subarray(piece.start, piece.start + piece.length);
    }),
  ),
});

Deno.test("each seed is delivered completely", async () => {
  assert.ok(seeds.length >= 7);
  for (const seed of seeds) {
    const { whole } = mutate(seed, []);
    assert.deepEqual(await deliver({ "0000000000000001.seg": seed.bytes }), whole, seed.name);
  }
});

Deno.test("every whole frame of a mutated segment is delivered, and nothing is invented", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(1000),
      fc.array(splice, { minLength: 1, maxLength: 4 }),
      async (which, splices) => {
        const seed = seeds[which % seeds.length] ?? assert.fail();
        const { bytes, whole } = mutate(seed, splices);
        const found = await deliver({ "0000000000000001.seg": bytes });
        const left = [...found];
        for (const pid of whole) {
          const at = left.indexOf(pid);
          assert.ok(at >= 0, `${seed.name}: ${pid} is whole and not delivered`);
          left.splice(at, 1);
        }
        const written = new Set(seeds.flatMap(({ frames }) => frames.flatMap(({ pids }) => pids)));
        for (const pid of left) assert.ok(written.has(pid), `${seed.name}: ${pid} is invented`);
      },
    ),
    { numRuns: RUNS },
  );
});

Deno.test("any bytes as segments and as a cursor: nothing is delivered, and nothing throws", async () => {
  const header = seeds.find(({ name }) => name === "other_layout");
  assert.ok(header !== undefined);
  const begun = header.bytes.subarray(0, header.header);
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 3000 }),
      fc.uint8Array({ maxLength: 30 }),
      fc.boolean(),
      async (bytes, delivered, isBegun) => {
        const segment = isBegun ? Buffer.concat([begun, bytes]) : bytes;
        assert.deepEqual(await deliver({ "0000000000000001.seg": segment, delivered }), []);
      },
    ),
    { numRuns: RUNS },
  );
});
