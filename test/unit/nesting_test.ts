/** A server's session ends within its client's. */
import { strict as assert } from "node:assert";
import { constants } from "node:os";
import { Nesting } from "../../src/capture/nesting.ts";
import { RECORD, ROLE } from "../../src/session/record_layout.ts";
import { Session } from "../../src/session/session.ts";
import { INITIAL_SEQUENCE_NUMBERS, makeRecord, type RecordFields } from "../fixtures.ts";

const { local, peer } = INITIAL_SEQUENCE_NUMBERS;

/** The two ends of a session with 1,000 bytes from the client and 2,000 from the server. */
const CLIENT: Partial<RecordFields> = {
  role: ROLE.ACTIVE,
  bytes_acked: 1002n,
  bytes_received: 2001n,
  snd_una: local + 1002,
  rcv_nxt: peer + 2002,
};
const SERVER: Partial<RecordFields> = {
  role: ROLE.PASSIVE,
  last_state: "last_ack",
  bytes_acked: 2001n,
  bytes_received: 1001n,
  snd_una: peer + 2002,
  rcv_nxt: local + 1002,
};

const END = 2n ** 32n * 7n;

/** The ends of the records, in batches, after nesting. */
function ends(...batches: readonly (readonly Partial<RecordFields>[])[]): bigint[] {
  const nesting = new Nesting();
  return batches.flatMap((records) => {
    const words = new Int32Array(records.length * RECORD.size / 4);
    const bytes = new Uint8Array(words.buffer);
    records.forEach((fields, i) => bytes.set(makeRecord(fields), i * RECORD.size));
    nesting.apply(words, records.length);
    return records.map((_, i) => new Session(bytes).moveTo(i).endUnixNs);
  });
}

// before that, the server was established, got the client's FIN and sent its own
const BEFORE = {
  wall_offset_ns: 0n,
  established_ns: END - 9n,
  fin_received_ns: END - 8n,
  fin_sent_ns: END - 7n,
};
const client = { ...CLIENT, end_ns: END - 1n, wall_offset_ns: 0n };
const late = { ...SERVER, ...BEFORE, end_ns: END + 30_000n };
const early = { ...SERVER, ...BEFORE, end_ns: END - 30_000n };

Deno.test("apply() ends a server's session when its client's ended, if that was earlier", () => {
  assert.deepEqual(ends([client, late]), [END - 1n, END - 1n]);
});

Deno.test("apply() remembers clients from one batch to the next", () => {
  assert.deepEqual(ends([client], [late]), [END - 1n, END - 1n]);
});

Deno.test("apply() does not change a server's session that ends first", () => {
  assert.deepEqual(ends([client, early]), [END - 1n, END - 30_000n]);
});

Deno.test("apply() does not change other sessions", () => {
  const other = { ...late, snd_una: 5, rcv_nxt: 6 };
  assert.deepEqual(ends([client, other]), [END - 1n, END + 30_000n]);
});

Deno.test("apply() does not change a server's session that was active after its client's end", () => {
  for (const field of ["established_ns", "fin_received_ns", "fin_sent_ns"] as const) {
    assert.deepEqual(ends([client, { ...late, [field]: END }]), [END - 1n, END + 30_000n], field);
  }
});

Deno.test("apply() moves a reset back by less than 100 µs, which its process can't see", () => {
  const reset = { ...late, last_state: "established", fin_sent_ns: 0n } as const;
  assert.deepEqual(ends([client, reset]), [END - 1n, END - 1n]);
  const seen = { ...reset, end_ns: END + 100_000n };
  assert.deepEqual(ends([client, seen]), [END - 1n, END + 100_000n]);
  const unseen = { ...late, end_ns: END + 100_000n }; // the acknowledgement of its own FIN
  assert.deepEqual(ends([client, unseen]), [END - 1n, END - 1n]);
});

Deno.test("apply() does not change an end that comes much later, or whose FIN was never acknowledged", () => {
  const slow = { ...late, end_ns: END + 10_000_000n };
  assert.deepEqual(ends([client, slow]), [END - 1n, END + 10_000_000n]);
  const timedOut = { ...late, end_ns: END + 100_000n, err: constants.errno.ETIMEDOUT };
  assert.deepEqual(ends([client, timedOut]), [END - 1n, END + 100_000n]);
});

Deno.test("apply() does not change reports of open sessions, and takes no end from them", () => {
  assert.deepEqual(ends([client, { ...late, interim: 1 }]), [END - 1n, END + 30_000n]);
  assert.deepEqual(ends([{ ...client, interim: 1 }, late]), [END - 1n, END + 30_000n]);
});
