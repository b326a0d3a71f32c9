/** Sessions as programs get them: read, kept as plain data, made of plain data, given up. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { batchOf, sessionOf } from "../../mod.ts";
import { BatchView } from "../../src/library/batch.ts";
import { SessionView } from "../../src/library/view.ts";
import { FLAG, OWNER, ROLE } from "../../src/session/record_layout.ts";
import { TCP_STATES } from "../../src/session/session.ts";
import { makeSpanMapper } from "../exporter_context.ts";
import { END_UNIX_NS, makeBatch, type RecordFields } from "../fixtures.ts";

/** The session of a record, as a program gets it. */
function viewOf(fields: Partial<RecordFields> = {}) {
  return new BatchView(makeBatch(fields)).at(0);
}

Deno.test("a session has what users need, and nothing of the record's internals", () => {
  const session = viewOf({ owner_comm: "curl", peer_address: "192.0.2.1" });
  assert.equal(session.comm, "curl");
  assert.equal(session.peerAddress, "192.0.2.1");
  assert.equal(session.endUnixNs, END_UNIX_NS);
  assert.deepEqual(session.ending, { by: "local", reason: "fin" });
  assert.ok(session.has(FLAG.START_OBSERVED | FLAG.ALL_READ));
  for (const name of ["moveTo", "word", "writeAddress", "readStart", "commBytes", "bytes"]) {
    assert.ok(!(name in session), name);
  }
});

Deno.test("console.log shows what there is to read", () => {
  using batch = batchOf([{ comm: "curl" }]);
  const session = batch.at(0);
  assert.match(Deno.inspect(session), /^Session \{\n {2}startUnixNs: [^]*\n {2}comm: "curl",\n/);
  batch[Symbol.dispose]();
  assert.equal(Deno.inspect(session), "Session (given up)");
});

Deno.test("toObject() is a copy that stays: what is unknown is left out, and nothing is shared", () => {
  using batch = new BatchView(makeBatch({}, { owner_source: OWNER.UNKNOWN, owner_pid: 0 }));
  const [owned, unowned] = [batch.at(0).toObject(), batch.at(1).toObject()];
  assert.equal(owned.pid, 1234);
  assert.ok(!("pid" in unowned) && !("uid" in unowned));
  assert.notEqual(owned.ending, unowned.ending);
  assert.deepEqual(structuredClone(owned), owned);
  batch[Symbol.dispose]();
  assert.equal(owned.comm, "curl");
});

Deno.test("JSON has 64-bit numbers as decimal text, from a session as from its data", () => {
  const session = viewOf();
  const json = JSON.parse(JSON.stringify(session));
  assert.equal(json.endUnixNs, String(END_UNIX_NS));
  assert.equal(json.cookie, "42");
  assert.equal(json.txBytes, 1000);
  assert.deepEqual(JSON.parse(JSON.stringify({ kept: session.toObject() })), { kept: json });
});

Deno.test("JSON of a session that is open has no sequence numbers", () => {
  const session = viewOf({ interim: 1, last_state: "established" });
  assert.deepEqual(session.initialSequenceNumbers, { local: 1_000_000, peer: 2_000_000 });
  assert.ok(!("initialSequenceNumbers" in session.toJSON()));
  assert.ok("initialSequenceNumbers" in viewOf().toJSON());
});

/** Records that a kernel could have sent. */
const records: fc.Arbitrary<Partial<RecordFields>> = fc.record({
  role: fc.constantFrom(ROLE.ACTIVE, ROLE.PASSIVE, 0),
  last_state: fc.constantFrom(...TCP_STATES),
  flags: fc.integer({ min: 0, max: 0x7ffff }),
  mptcp_token: fc.constantFrom(0, 1, 2 ** 32 - 1),
  interim: fc.constantFrom(0, 0, 3),
  err: fc.constantFrom(0, 32, 104, 110, 111, 113),
  shutdown: fc.integer({ min: 0, max: 3 }),
  handshake_rtt_us: fc.nat(5_000),
  bytes_acked: fc.nat(2 ** 31),
  bytes_received: fc.nat(2 ** 31),
  local_port: fc.nat(65535),
  owner_source: fc.integer({ min: 0, max: 5 }),
  owner_pid: fc.nat(2 ** 22),
  owner_comm: fc.uint8Array({ maxLength: 15 }).map((bytes) => bytes.map((byte) => byte || 1)),
  owner_exe: fc.constantFrom("curl", "", "näginx", "x".repeat(63)),
  srtt_us: fc.nat(1_000_000),
  rtt_min_us: fc.constantFrom(0, 7, 0xffffffff),
  peer_address: fc.constantFrom("127.0.0.1", "2001:db8::1"),
  cookie: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  snd_una: fc.constantFrom(0, 5_000_000, 2 ** 32 - 1),
  write_seq: fc.constantFrom(0, 1, 2, 1000),
  rcv_nxt: fc.constant(7_000_000),
  copied_seq: fc.constantFrom(0, 1, 2, 1000),
}).map((fields) => ({
  ...fields,
  write_seq: (fields.snd_una + fields.write_seq) % 2 ** 32,
  copied_seq: fields.rcv_nxt - fields.copied_seq,
}));

Deno.test("a session made of another's data, or of its JSON, shows the same and has the same ids", () => {
  const mapper = makeSpanMapper();
  const property = fc.property(records, (fields) => {
    // in an address pair both are of one family
    const local_address = fields.peer_address === "127.0.0.1" ? "127.0.0.1" : "fe80::1";
    const session = viewOf({ ...fields, local_address });
    const again = sessionOf(session.toObject());
    assert.deepEqual(again.toObject(), session.toObject());
    const [one, other] = [session, again].map((view) =>
      mapper.toSpan(SessionView.recordOf(view)).spanContext()
    );
    assert.deepEqual(other, one);
    if (session.interim > 0) return; // its JSON lacks what ids are made of
    assert.deepEqual(sessionOf(JSON.parse(JSON.stringify(session))).toObject(), session.toObject());
  });
  fc.assert(property, { numRuns: 400 });
});

Deno.test("sessionOf() takes what matters to a test, and fills in the rest to fit", () => {
  const refused = sessionOf({ comm: "psql", peerPort: 5432, lastState: "syn_sent", errno: 111 });
  assert.equal(refused.ending?.error?.type, "connection_refused");
  assert.equal(refused.ownerSource, "connect");
  const long = sessionOf({ durationUs: 3_000_000, txBytes: 5, rxBytes: 7, unreadBytes: 2 });
  assert.equal(long.endUnixNs - long.startUnixNs, 3_000_000_000n);
  assert.deepEqual([long.txBytes, long.rxBytes, long.unreadBytes], [5, 7, 2]);
  assert.equal(sessionOf({ peerAddress: "2001:db8::1" }).family, "ipv6");
  assert.equal(sessionOf({ established: false }).lastState, "syn_sent");
  assert.equal(sessionOf().serverPort, 443);
});

const IMPOSSIBLE: readonly [data: unknown, error: RegExp][] = [
  [{ localport: 1 }, /^TypeError: .*no member localport: did you mean "localPort"\?$/],
  [{ pid: "5" }, /^TypeError: .*pid is "5", and not a number$/],
  [{ cookie: "x" }, /^TypeError: .*cookie is "x", and not a bigint$/],
  [{ pid: 2 ** 32 }, /^RangeError: .*pid is 4294967296, where the rest makes it undefined$/],
  [{ localAddress: "localhost" }, /^RangeError: .*"localhost", and no ipv4 address$/],
  [{ family: "ipx" }, /^RangeError: .*family is "ipx": expected "ipv4" or "ipv6"$/],
  [{ txBytes: 1.5 }, /^RangeError: .*txBytes is 1.5: expected a whole number$/],
  [{ rxBytes: NaN }, /^RangeError: .*rxBytes is NaN: expected a whole number$/],
  [{ durationUs: Infinity }, /^RangeError: .*durationUs is Infinity: expected a finite number$/],
  [{ ending: null }, /^TypeError: .*ending is null, and not an object$/],
  [null, /^TypeError: cannot make a session of null: expected an object$/],
  ["curl", /^TypeError: cannot make a session of curl: expected an object$/],
  [{ role: "client" }, /^RangeError: .*role is "client"/],
  [{ startUnixNs: 1n, endUnixNs: 3001n, durationUs: 4 }, /^RangeError: .*durationUs is 4/],
  [{ comm: "longer than 15 bytes" }, /^RangeError: .*comm is/],
];
for (const [data, error] of IMPOSSIBLE) {
  Deno.test(`sessionOf(${Deno.inspect(data)}) says what is wrong`, () => {
    assert.throws(() => sessionOf(data as never), (thrown) => error.test(String(thrown)));
  });
}

Deno.test("a session that was given up throws at every member, and says what to do", () => {
  const batch = new BatchView(makeBatch({}, {}));
  const session = batch.at(0);
  const iterator = batch[Symbol.iterator]();
  iterator.next();
  batch[Symbol.dispose]();
  const names = [...Object.keys(session.constructor.prototype), "has", "toObject", "toJSON"];
  assert.ok(names.length > 40);
  for (const name of names) {
    assert.throws(
      () => {
        const value: unknown = Reflect.get(session, name);
        if (typeof value === "function") value.call(session, 1);
      },
      (error) =>
        error instanceof TypeError &&
        error.message.startsWith(`cannot read ${name} of a session whose batch was given up`) &&
        error.message.includes("session.toObject()"),
    );
  }
  for (const use of [() => batch.at(0), () => iterator.next(), () => [...batch]]) {
    assert.throws(use, /^TypeError: cannot read a batch that was given up.*toObject\(\)/);
  }
  assert.throws(() => batchOf([session]), TypeError);
});

Deno.test("at() throws unless the index is that of a session", () => {
  const batch = batchOf([{ pid: 1 }, { pid: 2 }]);
  assert.equal(batch.length, 2);
  assert.equal(batch.at(1).pid, 2);
  for (const index of [2, -1, 0.5, NaN]) assert.throws(() => batch.at(index), RangeError);
});

Deno.test("batchOf() copies sessions of other batches, which may then be given up", () => {
  const first = batchOf([{ comm: "curl" }, { comm: "nginx" }]);
  const rest = batchOf([...first].filter(({ comm }) => comm === "nginx"));
  const another = batchOf([...first].map((session) => ({
    // like a session of another copy of tcpspan, which has a class of its own
    ...sessionOf().toObject(),
    toObject: () => session.toObject(),
  })));
  first[Symbol.dispose]();
  assert.deepEqual(Array.from(another, ({ comm }) => comm), ["curl", "nginx"]);
  assert.deepEqual(Array.from(rest, ({ comm }) => comm), ["nginx"]);
});
