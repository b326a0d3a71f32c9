import { strict as assert } from "node:assert";
import fc from "fast-check";
import { FLAG, OWNER, RECORD, ROLE } from "../../src/session/record_layout.ts";
import type { TcpState } from "../../src/session/session.ts";
import { END_UNIX_NS, makeBatch, makeSession, type RecordFields } from "../fixtures.ts";

const MILLISECOND = 1_000_000n;
const STATES = [
  "established",
  "close_wait",
  "fin_wait1",
  "fin_wait2",
  "closing",
  "last_ack",
] as const satisfies TcpState[];

/** What one end did, in terms of TCP. */
interface Model {
  readonly role: "active" | "passive";
  readonly lastState: typeof STATES[number];
  /** Initial sequence numbers. */
  readonly local: number;
  readonly peer: number;
  /** Payload, bytes. */
  readonly acked: bigint;
  readonly inFlight: number;
  readonly unsent: number;
  readonly sentAgain: bigint;
  readonly received: bigint;
  readonly unread: number;
  /** The peer acknowledged the FIN, if there was one. */
  readonly finAcked: boolean;
  /** The peer's FIN came, and the process has not read up to it. */
  readonly finUnread: boolean;
}

const FIN_STATES: readonly string[] = ["fin_wait1", "fin_wait2", "closing", "last_ack"];
/** States in which the peer's FIN was received. */
const DONE_STATES: readonly string[] = ["close_wait", "closing", "last_ack"];

const sequenceNumber = fc.oneof(
  fc.nat({ max: 0xffffffff }),
  fc.constantFrom(0, 1, 0x80000000, 0xfffffffe, 0xffffffff),
);
const counter = fc.oneof(
  fc.bigInt({ min: 0n, max: 3000n }),
  fc.bigInt({ min: 0n, max: 2n ** 40n }),
);
const queued = fc.oneof(fc.constant(0), fc.nat({ max: 1 << 24 }));

const model: fc.Arbitrary<Model> = fc.record({
  role: fc.constantFrom("active", "passive"),
  lastState: fc.constantFrom(...STATES),
  local: sequenceNumber,
  peer: sequenceNumber,
  acked: counter,
  inFlight: queued,
  unsent: queued,
  sentAgain: counter,
  received: counter,
  unread: queued,
  finAcked: fc.boolean(),
  finUnread: fc.boolean(),
}).map((raw) => {
  // a FIN is acknowledged after all payload; in FIN_WAIT2 it was
  const finAcked = raw.lastState === "fin_wait2" || raw.lastState === "last_ack" && raw.finAcked;
  const queue = finAcked ? { inFlight: 0, unsent: 0 } : {};
  return { ...raw, ...queue, finAcked, unread: Math.min(raw.unread, Number(raw.received)) };
});

/** The kernel's counters: see "Fields at CLOSE" in docs/kernel.md. */
function fieldsOf(end: Model): Partial<RecordFields> {
  const sequence = (from: number, offset: bigint | number) =>
    Number(BigInt.asUintN(32, BigInt(from) + BigInt(offset)));
  const finSent = FIN_STATES.includes(end.lastState);
  const done = DONE_STATES.includes(end.lastState);
  const unacked = end.inFlight + end.unsent;
  const next = 1n + end.acked; // after the SYN
  const finAcked = end.finAcked ? 1n : 0n;
  const left = end.unread + (done && (end.unread > 0 || end.finUnread) ? 1 : 0);
  return {
    last_state: end.lastState,
    role: end.role === "active" ? ROLE.ACTIVE : ROLE.PASSIVE,
    flags: FLAG.START_OBSERVED | FLAG.ALL_READ | (done ? FLAG.SOCK_DONE : 0),
    bytes_acked: end.acked + (end.role === "active" ? 1n : 0n) + finAcked,
    bytes_received: end.received + (done ? 1n : 0n),
    snd_una: sequence(end.local, next + finAcked),
    write_seq: sequence(end.local, next + BigInt(unacked) + (finSent ? 1n : 0n)),
    rcv_nxt: sequence(end.peer, 1n + end.received + (done ? 1n : 0n)),
    copied_seq: sequence(end.peer, 1n + end.received + (done ? 1n : 0n) - BigInt(left)),
  };
}

Deno.test("txBytes, rxBytes, unackedBytes and unreadBytes count only payload, in every state", () => {
  fc.assert(
    fc.property(model, (end) => {
      const session = makeSession(fieldsOf(end));
      assert.equal(session.txBytes, Number(end.acked));
      assert.equal(session.rxBytes, Number(end.received));
      assert.equal(session.unackedBytes, end.inFlight + end.unsent);
      assert.equal(session.unreadBytes, end.unread);
      assert.equal(session.finSent, FIN_STATES.includes(end.lastState));
      assert.equal(session.finAcked, end.finAcked);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("initialSequenceNumbers are those of both SYNs, whatever was sent since", () => {
  fc.assert(
    fc.property(model, (end) => {
      const { local, peer } = end;
      assert.deepEqual(makeSession(fieldsOf(end)).initialSequenceNumbers, { local, peer });
    }),
    { numRuns: 3000 },
  );
});

Deno.test("a session of unknown role has neither a server's port nor certain sequence numbers", () => {
  const session = makeSession({ role: ROLE.UNKNOWN });
  assert.equal(session.role, "unknown");
  assert.equal(session.serverPort, undefined);
  assert.equal(session.initialSequenceNumbers, undefined);
});

Deno.test("initialSequenceNumbers of a repaired session are unknown", () => {
  assert.equal(makeSession({ flags: FLAG.REPAIR }).initialSequenceNumbers, undefined);
  assert.equal(makeSession({ flags: FLAG.RESTORED }).initialSequenceNumbers, undefined);
});

/** Attempts: the SYN takes a sequence number, but is no payload. */
const ATTEMPTS: Record<string, Partial<RecordFields>> = {
  "whose SYN left": { snd_una: 0xffffffff, write_seq: 0 },
  "whose SYN never left": { snd_una: 0, write_seq: 0, local_port: 0 },
};

for (const [name, fields] of Object.entries(ATTEMPTS)) {
  Deno.test(`an attempt ${name} has no payload, and one sequence number`, () => {
    const session = makeSession({ last_state: "syn_sent", ...fields });
    assert.equal(session.established, false);
    assert.deepEqual([session.txBytes, session.rxBytes], [0, 0]);
    assert.deepEqual([session.unackedBytes, session.unreadBytes], [0, 0]);
    assert.equal(session.initialSequenceNumbers, undefined);
    assert.equal(session.attemptSequenceNumber, fields.snd_una);
    assert.equal(session.establishedUnixNs, undefined);
    assert.equal(session.handshakeUs, undefined);
  });
}

Deno.test("unackedBytes of an attempt is what was written together with its SYN", () => {
  const session = makeSession({ last_state: "syn_sent", snd_una: 1000, write_seq: 1101 });
  assert.equal(session.unackedBytes, 100);
});

Deno.test("unreadBytes is unknown while a process may still read, except if it is 0 or in a report", () => {
  const waiting = { last_state: "established", rcv_nxt: 110, copied_seq: 100, flags: 0 } as const;
  assert.equal(makeSession(waiting).unreadBytes, undefined);
  assert.equal(makeSession({ ...waiting, flags: FLAG.ALL_READ }).unreadBytes, 10);
  assert.equal(makeSession({ ...waiting, interim: 1 }).unreadBytes, 10);
  assert.equal(makeSession({ ...waiting, copied_seq: 110 }).unreadBytes, 0);
});

const MISSED: [name: string, fields: Partial<RecordFields>, established: boolean][] = [
  ["whose peer acknowledged its SYN", { bytes_acked: 1n }, true],
  ["that received payload", { bytes_received: 5n }, true],
  ["that nobody answered", {}, false],
];

for (const [name, fields, established] of MISSED) {
  Deno.test(`established is ${established} for an end that was last seen in SYN_SENT, ${name}`, () => {
    const last = { last_state: "syn_sent", flags: FLAG.START_OBSERVED | FLAG.BACKSTOP } as const;
    assert.equal(makeSession({ ...last, ...fields }).established, established);
  });
}

function show(fields: Partial<RecordFields>): string {
  return JSON.stringify(fields, (_, value) => typeof value === "bigint" ? Number(value) : value);
}

const FIN_UNACKED = { snd_una: 1000, write_seq: 1001 };
const BEFORE_CLOSE: [seen: TcpState, fields: Partial<RecordFields>, last: TcpState][] = [
  ["fin_wait1", {}, "fin_wait2"],
  ["fin_wait1", FIN_UNACKED, "fin_wait1"],
  ["fin_wait1", { ...FIN_UNACKED, flags: FLAG.SOCK_DONE }, "closing"],
  ["established", {}, "established"],
  ["established", { flags: FLAG.SOCK_DONE }, "close_wait"],
  ["last_ack", {}, "last_ack"],
  ["listen", {}, "established"],
  ["listen", { flags: FLAG.SOCK_DONE }, "close_wait"],
  ["syn_recv", { bytes_received: 5n }, "established"],
  ["syn_sent", { bytes_acked: 1n, flags: FLAG.SOCK_DONE }, "close_wait"],
  ["syn_sent", { bytes_acked: 0n, bytes_received: 0n }, "syn_sent"],
];

for (const [seen, { flags = 0, ...fields }, last] of BEFORE_CLOSE) {
  Deno.test(`lastState is ${last} after ${seen}, ${show({ ...fields, flags })}, if CLOSE was missed`, () => {
    const session = makeSession({ ...fields, last_state: seen, flags: flags | FLAG.BACKSTOP });
    assert.equal(session.lastState, last);
  });
}

Deno.test("times are those of the boot clock plus one offset to the wall clock", () => {
  const session = makeSession({
    wall_offset_ns: 1_000_000_000_000n,
    start_ns: 10n,
    established_ns: 20n,
    fin_sent_ns: 30n,
    fin_received_ns: 40n,
    end_ns: 50n,
    owner_process_start_ns: 5n,
  });
  assert.equal(session.startUnixNs, 1_000_000_000_010n);
  assert.equal(session.establishedUnixNs, 1_000_000_000_020n);
  assert.equal(session.finSentUnixNs, 1_000_000_000_030n);
  assert.equal(session.finReceivedUnixNs, 1_000_000_000_040n);
  assert.equal(session.endUnixNs, 1_000_000_000_050n);
  assert.equal(session.processStartUnixNs, 1_000_000_000_005n);
  assert.equal(session.startBootNs, 10n);
  assert.equal(session.durationUs, 0.04);
});

Deno.test("times that were not observed are undefined", () => {
  const session = makeSession({
    established_ns: 0n,
    fin_sent_ns: 0n,
    fin_received_ns: 0n,
    owner_process_start_ns: 0n,
  });
  assert.equal(session.establishedUnixNs, undefined);
  assert.equal(session.finSentUnixNs, undefined);
  assert.equal(session.finReceivedUnixNs, undefined);
  assert.equal(session.processStartUnixNs, undefined);
  assert.equal(session.handshakeUs, undefined);
  assert.equal(session.established, true); // fin_wait2 comes after it
});

Deno.test("a wall clock that is behind the boot clock still gives times", () => {
  const session = makeSession({ wall_offset_ns: -7n, end_ns: 50n });
  assert.equal(session.endUnixNs, 43n);
});

const PASSIVE: Partial<RecordFields> = { role: ROLE.PASSIVE, last_state: "last_ack" };

Deno.test("startUnixNs of a passive end is earlier by the round trip of its SYN-ACK", () => {
  const established = { start_ns: 1_000_000n, established_ns: 1_100_000n, end_ns: 2_000_000n };
  const passive = { ...PASSIVE, ...established, wall_offset_ns: 0n };
  // the round trip ends at ESTABLISHED
  assert.equal(makeSession({ ...passive, handshake_rtt_us: 300 }).startUnixNs, 800_000n);
  assert.equal(makeSession({ ...passive, handshake_rtt_us: 300 }).durationUs, 1200);
  // but not later than SYN_RECV was seen
  assert.equal(makeSession({ ...passive, handshake_rtt_us: 50 }).startUnixNs, 1_000_000n);
  assert.equal(makeSession({ ...passive, handshake_rtt_us: 0 }).startUnixNs, 1_000_000n);
  const late = makeSession({ ...PASSIVE, handshake_rtt_us: 300, flags: FLAG.SOCK_DONE });
  assert.equal(late.startUnixNs, END_UNIX_NS - 12n * MILLISECOND);
});

Deno.test("handshakeUs is SYN to ESTABLISHED, or the SYN-ACK's round trip if there is one", () => {
  assert.equal(makeSession().handshakeUs, 2000);
  assert.equal(makeSession({ ...PASSIVE, handshake_rtt_us: 300 }).handshakeUs, 300);
  assert.equal(makeSession({ ...PASSIVE, handshake_rtt_us: 0 }).handshakeUs, undefined);
});

Deno.test("a deferred session shows no round trip that has the wait for its data in it", () => {
  const first = 800_286;
  const flags = FLAG.START_OBSERVED | FLAG.DEFERRED;
  for (
    const [rtt, shown] of [
      // the kernel's first sample alone
      [{ srtt_us: first, rtt_min_us: first }, { smoothed: undefined, min: undefined }],
      [{ srtt_us: 700_300, rtt_min_us: 40 }, { smoothed: undefined, min: 40 }],
      // the data came at once
      [{ srtt_us: 760_000, rtt_min_us: 750_000 }, { smoothed: 760_000, min: 750_000 }],
    ] as const
  ) {
    const session = makeSession({ ...PASSIVE, handshake_rtt_us: first, flags, ...rtt });
    assert.deepEqual({ smoothed: session.smoothedRttUs, min: session.minRttUs }, shown);
    assert.equal(session.handshakeUs, undefined);
    // its SYN-ACK left that long before its data came
    assert.equal(session.establishedUnixNs, session.startUnixNs + 800_286_000n);
  }
  const timestamps = { ...PASSIVE, handshake_rtt_us: 3000, flags };
  assert.equal(makeSession(timestamps).startUnixNs, makeSession(PASSIVE).startUnixNs);
});

Deno.test("lifeUs is tcplife's: whole microseconds from ESTABLISHED, else from the start", () => {
  const time = fc.bigInt({ min: 1n, max: 2n ** 53n });
  fc.assert(fc.property(time, time, time, (a, b, c) => {
    const [start = 0n, established = 0n, end = 0n] = [a, b, c].sort((x, y) => x < y ? -1 : 1);
    const times = { start_ns: start, established_ns: established, end_ns: end };
    assert.equal(makeSession(times).lifeUs, Number((end - established) / 1000n));
    const attempt = { ...times, established_ns: 0n, last_state: "syn_sent" } as const;
    assert.equal(makeSession(attempt).lifeUs, Number((end - start) / 1000n));
  }));
});

Deno.test("round trips without a sample are undefined", () => {
  const without = makeSession({ srtt_us: 0, rtt_min_us: 0xffffffff });
  assert.deepEqual([without.smoothedRttUs, without.minRttUs], [undefined, undefined]);
  const session = makeSession({ srtt_us: 150, rtt_min_us: 0 });
  assert.deepEqual([session.smoothedRttUs, session.minRttUs], [150, 0]);
});

Deno.test("counters and numbers of the socket are given unchanged", () => {
  const session = makeSession({
    data_segs_in: 0xffffffff,
    data_segs_out: 2,
    total_retrans: 3,
    cookie: 2n ** 64n - 1n,
    netns: 0xf0000000,
    err: 104,
    shutdown: 2,
    owner_cgroup_id: 2n ** 63n,
  });
  assert.equal(session.rxSegments, 0xffffffff);
  assert.equal(session.txSegments, 2);
  assert.equal(session.retransmits, 3);
  assert.equal(session.cookie, 2n ** 64n - 1n);
  assert.equal(session.netns, 0xf0000000);
  assert.equal(session.errno, 104);
  assert.equal(session.shutdown, 2);
  assert.equal(session.cgroupId, 2n ** 63n);
});

Deno.test("addresses are text of the record's family", () => {
  const ipv4 = makeSession({ local_address: "10.1.2.3", peer_address: "192.0.2.255" });
  assert.equal(ipv4.family, "ipv4");
  assert.deepEqual([ipv4.localAddress, ipv4.peerAddress], ["10.1.2.3", "192.0.2.255"]);
  const ipv6 = makeSession({ local_address: "2001:db8::1", peer_address: "fe80::2:0:0:1" });
  assert.equal(ipv6.family, "ipv6");
  assert.deepEqual([ipv6.localAddress, ipv6.peerAddress], ["2001:db8::1", "fe80::2:0:0:1"]);
});

Deno.test("serverPort is the peer's for the active end, and the local one for the passive", () => {
  const ports = { local_port: 1, peer_port: 65535 };
  assert.equal(makeSession({ ...ports, role: ROLE.ACTIVE }).serverPort, 65535);
  assert.equal(makeSession({ ...ports, role: ROLE.PASSIVE }).serverPort, 1);
});

const OWNER_SOURCES = [
  [OWNER.UNKNOWN, "unknown"],
  [OWNER.LISTEN, "listen"],
  [OWNER.CLOSE, "close"],
  [OWNER.RECV, "recv"],
  [OWNER.CONNECT, "connect"],
] as const;

for (const [owner_source, name] of OWNER_SOURCES) {
  Deno.test(`ownerSource is ${name}`, () => {
    assert.equal(makeSession({ owner_source }).ownerSource, name);
  });
}

Deno.test("pid is undefined for a process that the tracer's namespace does not show", () => {
  const session = makeSession({ owner_pid: 0, owner_uid: 5 });
  assert.equal(session.pid, undefined);
  assert.equal(session.uid, 5);
});

Deno.test("uid is undefined without an owner: 0 is root", () => {
  assert.equal(makeSession({ owner_source: OWNER.UNKNOWN, owner_uid: 0 }).uid, undefined);
  assert.equal(makeSession({ owner_uid: 0 }).uid, 0);
});

Deno.test("comm and executable end at the first NUL, and hold any other byte", () => {
  const session = makeSession({
    owner_comm: Uint8Array.of(0x61, 0xff, 0x62, 0, 0x63),
    owner_exe: "näme with spaces",
  });
  assert.equal(session.comm, "a\ufffdb");
  assert.equal(session.executable, "näme with spaces");
  assert.equal(makeSession({ owner_exe: "" }).executable, "");
  assert.equal(makeSession({ owner_comm: "x".repeat(99) }).comm, "x".repeat(15));
  assert.equal(makeSession({ owner_exe: "y".repeat(99) }).executable, "y".repeat(63));
});

Deno.test("has() asks for all flags of a mask", () => {
  const session = makeSession({ flags: FLAG.SOCK_DONE | FLAG.OWNED });
  assert.equal(session.has(FLAG.SOCK_DONE), true);
  assert.equal(session.has(FLAG.SOCK_DONE | FLAG.OWNED), true);
  assert.equal(session.has(FLAG.SOCK_DONE | FLAG.REPAIR), false);
  assert.equal(session.startObserved, false);
});

Deno.test("moveTo() shows another record of the same bytes", () => {
  const batch = makeBatch({ owner_pid: 1, bytes_acked: 102n }, {
    owner_pid: 2,
    local_address: "::1",
    peer_address: "::1",
  });
  const session = batch.at(0);
  assert.deepEqual([session.pid, session.family, session.txBytes], [1, "ipv4", 100]);
  session.moveTo(1);
  assert.deepEqual([session.pid, session.family, session.localAddress], [2, "ipv6", "::1"]);
  assert.equal(batch.bytes.length, 2 * RECORD.size);
});
