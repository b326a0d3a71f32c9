/**
 * The cost of reading records from the ring, a part of `deno task bench:micro`. A file in memory
 * stands for the map, laid out and mapped like the kernel's, so that no program in the kernel is
 * needed or uses time. It is as large as the default ring, so most of it is in no cache.
 */
import { closeSync, openSync } from "node:fs";
import { libc } from "../ffi/libc.ts";
import { Mapping } from "../ffi/mapping.ts";
import { Ring } from "../ffi/ring.ts";
import { RECORD } from "../src/session/record_layout.ts";
import { makeRecord } from "../test/fixtures.ts";
import { type Figure, measureWays, printFigures, printMachine } from "./micro.ts";

const SIZE = 16 * 2 ** 20; // bytes
const FOLDER = "/dev/shm";
const BATCH = 4096; // records

// include/uapi/linux/bpf.h
const HEADER_SIZE = 8;
const DISCARD = 1 << 30;

const SLOT = HEADER_SIZE + RECORD.size;
const RECORDS = Math.floor((SIZE - HEADER_SIZE) / SLOT);

/** The figures of reading all records of a full ring; the others are compared with the first. */
export function measureRing(): Figure[] {
  const page = libc().getpagesize();
  const path = Deno.makeTempFileSync({ dir: FOLDER, prefix: "tcpspan-ring-" });
  Deno.truncateSync(path, 2 * page + SIZE);
  const fd = openSync(path, "r+");
  Deno.removeSync(path);
  using stack = new DisposableStack();
  stack.defer(() => closeSync(fd));
  const written = stack.use(new Mapping(fd, page + SIZE, "read-write", page));
  fill(new DataView(written.buffer, page));
  const produced = new BigUint64Array(written.buffer, 0, 1);
  const ring = stack.use(new Ring(fd, SIZE));
  const batch = new Int32Array(BATCH * RECORD.size / 4);
  const source = new Uint8Array(written.buffer, page);
  const copy = new Uint8Array(BATCH * RECORD.size);
  return measureWays({
    "copy as many bytes (memcpy)": () => {
      for (let at = 0; at < RECORDS * RECORD.size; at += copy.length) {
        copy.set(source.subarray(at, Math.min(at + copy.length, RECORDS * RECORD.size)));
      }
    },
    "own: read records": () => {
      Atomics.store(produced, 0, (produced[0] ?? 0n) + BigInt(SIZE)); // the same records once more
      let records = 0;
      for (let count = 1; count > 0; records += count) count = ring.read(batch, RECORD.size);
      if (records !== RECORDS) {
        throw new Error(`cannot measure: ${records} of ${RECORDS} were read`);
      }
    },
  }, RECORDS);
}

/** Fills the ring with records; the rest at its end is a discarded record. */
function fill(data: DataView<ArrayBuffer>): void {
  const bytes = new Uint8Array(data.buffer, data.byteOffset);
  for (let i = 0; i < RECORDS; i++) {
    data.setInt32(i * SLOT, RECORD.size, true);
    bytes.set(makeRecord({ local_port: i & 0xffff }), i * SLOT + HEADER_SIZE);
  }
  const rest = SIZE - RECORDS * SLOT;
  data.setInt32(RECORDS * SLOT, rest - HEADER_SIZE | DISCARD, true);
}

if (import.meta.main) {
  printMachine();
  printFigures(`${RECORDS} records of ${RECORD.size} bytes`, "record", measureRing());
}
