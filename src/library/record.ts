/** Records of plain data, in the bytes that the kernel program would have sent. */
import { isDeepStrictEqual } from "node:util";
import { didYouMean } from "../messages/nearest.ts";
import { parseAddress } from "../net/address.ts";
import { FLAG, OWNER, RECORD, ROLE, TEXT_LENGTH } from "../session/record_layout.ts";
import { OWNER_SOURCES, Session as RecordView, TCP_STATES } from "../session/session.ts";
import type { SessionData, SessionJson } from "./session.ts";
import { dataOf, MEMBERS } from "./view.ts";

const NS_PER_US = 1000n;
const SECOND_NS = 1_000_000_000n;
/** 2026-01-02T03:04:05Z, the end if no time is given. */
const END_UNIX_NS = 1_767_323_045n * SECOND_NS;
const DURATION_US = 12_000;
const INITIAL_SEQUENCE_NUMBERS = { local: 1_000_000, peer: 2_000_000 } as const;

const AF = { ipv4: 2, ipv6: 10 } as const; // include/linux/socket.h
const ADDRESS_BYTES = { ipv4: 4, ipv6: 16 } as const;
const LOOPBACK = { ipv4: "127.0.0.1", ipv6: "::1" } as const;
const NO_RTT = 0xffffffff;
const REPLACEMENT = "\ufffd"; // shown for a byte that is not UTF-8
const NO_UTF8 = 0xff;

/** Members that are not numbers, by their type. Those with a name in Ns are bigint, too. */
const NO_NUMBERS: Readonly<Record<string, readonly (keyof SessionData)[]>> = {
  bigint: ["cgroupId", "cookie"],
  boolean: [
    "startObserved",
    "established",
    "finSent",
    "finAcked",
    "mptcp",
    "mptcpJoined",
    "bytesBypassed",
  ],
  object: ["ending", "initialSequenceNumbers"],
  string: [
    "role",
    "lastState",
    "family",
    "localAddress",
    "peerAddress",
    "comm",
    "executable",
    "ownerSource",
  ],
};

function typeOf(member: string): string {
  if (member.endsWith("Ns")) return "bigint";
  const [type] = Object.entries(NO_NUMBERS)
    .find(([, members]) => members.some((one) => one === member)) ?? [];
  return type ?? "number";
}

/**
 * The record of which a session shows `given`.
 * @throws {TypeError} if a member is unknown or of the wrong type, {RangeError} if no record shows it
 */
export function recordOf(given: Partial<SessionData | SessionJson>): Uint8Array<ArrayBuffer> {
  const data = checkTypes(given);
  const bytes = encode(data);
  const shown: { readonly [name: string]: unknown } = { ...dataOf(new RecordView(bytes)) };
  for (const [name, value] of Object.entries(data)) {
    if (value === undefined || isDeepStrictEqual(shown[name], value)) continue;
    throw new RangeError(
      `cannot make a session: ${name} is ${show(value)}, where the rest makes it ${
        show(shown[name])
      }`,
    );
  }
  return bytes;
}

/** The members of `given` with the types of SessionData. */
function checkTypes(given: Partial<SessionData | SessionJson>): Partial<SessionData> {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]: [string, unknown]) => {
      const type = typeOf(name);
      if (!MEMBERS.includes(name)) {
        const hint = didYouMean(name, MEMBERS);
        throw new TypeError(
          `cannot make a session: there is no member ${name}${hint && `: ${hint.trim()}`}`,
        );
      }
      if (type === "number" && typeof value === "number") checkNumber(name, value);
      if (value === undefined || typeof value === type && value !== null) return [name, value];
      const isInteger = typeof value === "string" && /^-?\d+$/.test(value) ||
        Number.isSafeInteger(value);
      if (type === "bigint" && isInteger) return [name, BigInt(String(value))];
      const what = type === "object" ? "an object" : `a ${type}`;
      throw new TypeError(`cannot make a session: ${name} is ${show(value)}, and not ${what}`);
    }),
  );
}

/** Only `durationUs` has fractions: times are nanoseconds. */
function checkNumber(name: string, value: number): void {
  const isDuration = name === "durationUs";
  if (isDuration ? Number.isFinite(value) : Number.isInteger(value)) return;
  const expected = isDuration ? "a finite number" : "a whole number";
  throw new RangeError(`cannot make a session: ${name} is ${value}: expected ${expected}`);
}

function encode(data: Partial<SessionData>): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(RECORD.size);
  const view = new DataView(bytes.buffer);
  const u64 = (at: number, value: bigint) => view.setBigUint64(at, BigInt.asUintN(64, value), true);
  const u32 = (at: number, value: number) => view.setUint32(at, value, true);
  const u16 = (at: number, value: number) => view.setUint16(at, value, true);

  const { role = "active", interim = 0 } = data;
  const times = timesOf(data);
  const wall = (at: number, time: bigint | undefined) =>
    u64(at, time === undefined ? 0n : time - times.boot);
  u64(RECORD.wall_offset_ns, times.boot);
  u64(RECORD.start_ns, times.startBoot);
  wall(RECORD.established_ns, data.establishedUnixNs);
  wall(RECORD.fin_sent_ns, data.finSentUnixNs);
  wall(RECORD.fin_received_ns, data.finReceivedUnixNs);
  wall(RECORD.end_ns, times.end);
  u32(RECORD.handshake_rtt_us, data.handshakeRttUs ?? data.handshakeUs ?? 0);
  u32(RECORD.interim, interim);

  const attempt = role === "passive" ? "syn_recv" : "syn_sent";
  const lastState = data.lastState ?? (data.established === false ? attempt : "fin_wait2");
  const established = data.establishedUnixNs !== undefined ||
    !["syn_sent", "syn_recv", "unknown"].includes(lastState);
  const flags = data.flags ?? flagsOf(data, established);
  bytes[RECORD.role] = role === "active" ? ROLE.ACTIVE : role === "passive" ? ROLE.PASSIVE : 0;
  bytes[RECORD.last_state] = TCP_STATES.indexOf(lastState);
  bytes[RECORD.shutdown] = data.shutdown ?? 3;
  u16(RECORD.err, data.errno ?? 0);
  u32(RECORD.flags, flags);

  const { localAddress, peerAddress, family } = addressesOf(data);
  u16(RECORD.family, AF[family]);
  bytes.set(localAddress, RECORD.local_address);
  bytes.set(peerAddress, RECORD.peer_address);
  u16(RECORD.local_port, data.localPort ?? 40_000);
  u16(RECORD.peer_port, data.peerPort ?? 443);
  u32(RECORD.ifindex, data.interfaceIndex ?? 0);

  const { txBytes = 0, rxBytes = 0, unackedBytes = 0, unreadBytes } = data;
  const finSent = ["fin_wait1", "fin_wait2", "closing", "last_ack"].includes(lastState);
  const finAcked = finSent && (data.finAcked ?? unackedBytes === 0);
  const peerFin = (flags & FLAG.SOCK_DONE) !== 0;
  const syn = role === "active" && established && (flags & FLAG.RESTORED) === 0 ? 1 : 0;
  const acked = txBytes + syn + (finAcked ? 1 : 0);
  const received = rxBytes + (peerFin && (established || rxBytes > 0) ? 1 : 0);
  u64(RECORD.bytes_acked, BigInt(acked));
  u64(RECORD.bytes_received, BigInt(received));
  const { local, peer } = data.initialSequenceNumbers ?? INITIAL_SEQUENCE_NUMBERS;
  const sequence = data.attemptSequenceNumber ?? local;
  const sndUna = established ? local + acked + (role === "passive" ? 1 : 0) : sequence;
  const hasSyn = lastState === "syn_sent" && (sequence !== 0 || unackedBytes > 0);
  const unackedFin = finSent && !finAcked ? 1 : 0;
  u32(RECORD.snd_una, sndUna);
  u32(RECORD.write_seq, sndUna + unackedBytes + (hasSyn ? 1 : 0) + unackedFin);
  const rcvNxt = peer + received + 1;
  // unread payload shows that the process may still read
  const unread = unreadBytes ?? (interim === 0 ? 1 : 0);
  u32(RECORD.rcv_nxt, rcvNxt);
  u32(RECORD.copied_seq, rcvNxt - unread - (unread > 0 && peerFin ? 1 : 0));
  u32(RECORD.data_segs_out, data.txSegments ?? Math.min(1, txBytes));
  u32(RECORD.data_segs_in, data.rxSegments ?? Math.min(1, rxBytes));
  u32(RECORD.total_retrans, data.retransmits ?? 0);
  u32(RECORD.srtt_us, data.smoothedRttUs ?? 0);
  u32(RECORD.rtt_min_us, data.minRttUs ?? NO_RTT);

  const isOwned = [data.pid, data.uid, data.comm, data.executable].some((one) => one !== undefined);
  const ownerSource = data.ownerSource ?? (isOwned ? "connect" : "unknown");
  bytes[RECORD.owner_source] = Math.max(OWNER.UNKNOWN, OWNER_SOURCES.indexOf(ownerSource));
  u32(RECORD.owner_pid, data.pid ?? 0);
  u32(RECORD.owner_uid, data.uid ?? 0);
  bytes.set(nameBytes(data.comm ?? "", TEXT_LENGTH.comm), RECORD.owner_comm);
  bytes.set(nameBytes(data.executable ?? "", TEXT_LENGTH.exe), RECORD.owner_exe);
  wall(RECORD.owner_process_start_ns, data.processStartUnixNs);
  u64(RECORD.owner_cgroup_id, data.cgroupId ?? 0n);
  u32(RECORD.netns, data.netns ?? 0);
  u64(RECORD.cookie, data.cookie ?? 0n);
  u32(RECORD.mptcp_token, data.mptcpToken ?? 0);
  return bytes;
}

/** The times that are not given follow from those that are. */
function timesOf(data: Partial<SessionData>) {
  const duration = BigInt(Math.round((data.durationUs ?? DURATION_US) * Number(NS_PER_US)));
  const end = data.endUnixNs ?? (data.startUnixNs ?? END_UNIX_NS - duration) + duration;
  const start = data.startUnixNs ?? end - duration;
  const earliest = [data.establishedUnixNs, data.processStartUnixNs]
    .reduce((least: bigint, time) => time !== undefined && time < least ? time : least, start);
  const boot = data.bootUnixNs ??
    (data.startBootNs === undefined ? earliest - SECOND_NS : start - data.startBootNs);
  return { end, boot, startBoot: data.startBootNs ?? start - boot };
}

function flagsOf(
  { startObserved = true, unreadBytes, mptcp, mptcpJoined, bytesBypassed }: Partial<SessionData>,
  established: boolean,
) {
  return (startObserved ? FLAG.START_OBSERVED : 0) |
    (established ? FLAG.SOCK_DONE | FLAG.LOCAL_FIN_FIRST : 0) |
    (unreadBytes === undefined ? 0 : FLAG.ALL_READ) |
    (mptcp === true ? FLAG.MPTCP : 0) | (mptcp === false ? FLAG.MPTCP_FALLBACK : 0) |
    (mptcpJoined ? FLAG.MPTCP_JOINED : 0) | (bytesBypassed ? FLAG.SOCKMAP : 0);
}

function addressesOf(data: Partial<SessionData>) {
  const given = data.localAddress ?? data.peerAddress;
  const family = data.family ?? (given?.includes(":") ? "ipv6" : "ipv4");
  if (!Object.hasOwn(AF, family)) {
    throw new RangeError(
      `cannot make a session: family is ${show(family)}: expected "ipv4" or "ipv6"`,
    );
  }
  const bytesOf = (name: "localAddress" | "peerAddress") => {
    const text = data[name] ?? LOOPBACK[family];
    const bytes = parseAddress(text);
    if (bytes?.length === ADDRESS_BYTES[family]) return bytes;
    throw new RangeError(
      `cannot make a session: ${name} is ${show(text)}, and no ${family} address`,
    );
  };
  return { family, localAddress: bytesOf("localAddress"), peerAddress: bytesOf("peerAddress") };
}

/** As the kernel cuts a name: `length` bytes at most, of which the last is 0. */
function nameBytes(text: string, length: number): Uint8Array {
  const encoder = new TextEncoder();
  const parts = text.split(REPLACEMENT).map((part) => encoder.encode(part));
  return Uint8Array.from(parts.flatMap((part, i) => i === 0 ? [...part] : [NO_UTF8, ...part]))
    .subarray(0, length - 1);
}

function show(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  return value === undefined ? "undefined" : JSON.stringify(value);
}
