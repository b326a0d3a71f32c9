/** What is removed from batches because the kernel program could only decide roughly. */
import { strict as assert } from "node:assert";
import { constants } from "node:os";
import { SessionBatch } from "../../src/session/batch.ts";
import { FLAG, RECORD } from "../../src/session/record_layout.ts";
import { Selection, type SelectionOptions } from "../../src/capture/selection.ts";
import { makeBatch, type RecordFields } from "../fixtures.ts";

const MS = 1_000_000n;

/** Cookies of the sessions that are left; the cookies are numbers in order, from 1. */
function select(
  options: SelectionOptions,
  ...records: readonly Partial<RecordFields>[]
): { cookies: number[]; sampledOut: number } {
  const selection = new Selection(options);
  const numbered = records.map((fields, i) => ({ ...fields, cookie: i + 1 }));
  const words = new Int32Array(makeBatch(...numbered).bytes.buffer);
  const left = selection.apply(words, records.length);
  const batch = new SessionBatch(new Uint8Array(words.buffer, 0, left * RECORD.size));
  return {
    cookies: Array.from(batch, ({ cookieNumber }) => cookieNumber),
    sampledOut: selection.sampledOut,
  };
}

Deno.test("apply() leaves all sessions without options", () => {
  assert.deepEqual(select({}, {}, {}, {}), { cookies: [1, 2, 3], sampledOut: 0 });
});

Deno.test("apply() counts payload without SYN and FIN", () => {
  const { cookies } = select(
    { minBytes: 100 },
    { bytes_acked: 102n, bytes_received: 1n }, // 100 sent
    { bytes_acked: 101n, bytes_received: 1n },
    { bytes_acked: 52n, bytes_received: 51n }, // 50 each way
    { bytes_acked: 2n, bytes_received: 0n, flags: 0 },
  );
  assert.deepEqual(cookies, [1, 3]);
});

Deno.test("apply() compares the span's duration, to the nanosecond", () => {
  const { cookies } = select(
    { minDuration: 5000 },
    { start_ns: MS, end_ns: MS + 5000n * MS, established_ns: 2n * MS },
    { start_ns: MS, end_ns: MS + 5000n * MS - 1n, established_ns: 2n * MS },
    { start_ns: MS, end_ns: 2n ** 33n * 1000n },
  );
  assert.deepEqual(cookies, [1, 3]);
});

const REFUSED: Partial<RecordFields> = {
  last_state: "syn_sent",
  err: constants.errno.ECONNREFUSED,
};

Deno.test("apply() keeps what is sampled, and only failures of the rest", () => {
  const result = select(
    { sampling: { ratio: 0.1, keepErrors: true } },
    { flags: FLAG.SAMPLED | FLAG.SOCK_DONE },
    { flags: FLAG.SOCK_DONE },
    { ...REFUSED, flags: 0 },
    { ...REFUSED, flags: FLAG.SAMPLED },
    // an old error before an orderly end
    { flags: FLAG.SOCK_DONE, err: constants.errno.EHOSTUNREACH },
    // an open session has not failed
    { last_state: "established", err: constants.errno.ECONNRESET, flags: 0, interim: 1 },
    { last_state: "established", err: constants.errno.ECONNRESET, flags: 0 },
  );
  assert.deepEqual(result, { cookies: [1, 3, 4, 7], sampledOut: 3 });
});
