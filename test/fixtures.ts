/**
 * Records made up for tests, in the bytes that the kernel program writes.
 *
 *     makeRecord(); // curl's session with 127.0.0.1:443
 *     makeSession({ owner_comm: "nginx", role: ROLE.PASSIVE });
 *     makeSession({ local_address: "2001:db8::1", peer_address: "2001:db8::2" });
 *     makeBatch({ owner_pid: 1 }, { owner_pid: 2 });
 */
import { SessionBatch } from "../src/session/batch.ts";
import { FLAG, OWNER, RECORD, ROLE, TEXT_LENGTH } from "../src/session/record_layout.ts";
import { Session, TCP_STATES, type TcpState } from "../src/session/session.ts";

const AF_INET = 2; // include/linux/socket.h
const AF_INET6 = 10;

const NUMBERS_64 = [
  "wall_offset_ns",
  "start_ns",
  "established_ns",
  "fin_sent_ns",
  "fin_received_ns",
  "end_ns",
  "cookie",
  "bytes_acked",
  "bytes_received",
  "owner_process_start_ns",
  "owner_cgroup_id",
] as const;

const NUMBERS_32 = [
  "owner_pid",
  "owner_uid",
  "owner_exec_id",
  "netns",
  "snd_una",
  "write_seq",
  "rcv_nxt",
  "copied_seq",
  "data_segs_in",
  "data_segs_out",
  "total_retrans",
  "srtt_us",
  "rtt_min_us",
  "handshake_rtt_us",
  "flags",
  "interim",
  "ifindex",
  "mptcp_token",
] as const;

const NUMBERS_16 = ["family", "local_port", "peer_port", "err"] as const;

const NUMBERS_8 = ["owner_source", "owner_excluded", "role", "shutdown"] as const;

const ADDRESSES = ["local_address", "peer_address"] as const;

type Number64 = typeof NUMBERS_64[number];
type SmallNumber = (typeof NUMBERS_32 | typeof NUMBERS_16 | typeof NUMBERS_8)[number];
type Text = "owner_comm" | "owner_exe" | typeof ADDRESSES[number];

/**
 * The members of `struct record` under the names of `RECORD`, in the units of bpf/record.h. Names
 * and addresses may be text or the bytes themselves. A member without a place above is
 * `never`, so that nothing compiles until it has been given one.
 */
export type RecordFields = {
  readonly [Member in Exclude<keyof typeof RECORD, "size">]: Member extends Number64
    ? bigint | number
    : Member extends SmallNumber ? number
    : Member extends Text ? string | Uint8Array
    : Member extends "last_state" ? TcpState
    : never;
};

/** The initial sequence numbers of a made-up session. */
export const INITIAL_SEQUENCE_NUMBERS = { local: 1_000_000, peer: 2_000_000 } as const;

/** The wall clock at `end_ns` of a record made without times: 2026-01-02T03:04:05Z. */
export const END_UNIX_NS = 1_767_323_045_000_000_000n;

const END_BOOT_NS = 5_000_000_000n;
const MILLISECOND = 1_000_000n;

/**
 * One record. Without `fields`: curl, pid 1234, from 127.0.0.1:40000 to 127.0.0.1:443, SYN 12 ms
 * and ESTABLISHED 10 ms before the end, 1000 bytes sent, 2000 received, closed by curl.
 *
 * What is not given follows from what is: `family` from the addresses; the sequence numbers from
 * `role`, `bytes_acked` and `bytes_received`, as if all had been acknowledged and read;
 * `established_ns` is 0 when `last_state` says that the handshake was never completed.
 */
export function makeRecord(fields: Partial<RecordFields> = {}): Uint8Array<ArrayBuffer> {
  const role = fields.role ?? ROLE.ACTIVE;
  const lastState = fields.last_state ?? "fin_wait2";
  const attempt = lastState === "syn_sent" || lastState === "syn_recv";
  const synCounted = role === ROLE.ACTIVE && !attempt ? 1n : 0n;
  const bytesAcked = BigInt(fields.bytes_acked ?? (attempt ? 0n : 1000n + synCounted + 1n));
  const bytesReceived = BigInt(fields.bytes_received ?? (attempt ? 0n : 2001n));
  const localAddress = addressBytes(fields.local_address ?? "127.0.0.1");
  const peerAddress = addressBytes(fields.peer_address ?? "127.0.0.1");
  const local = BigInt(INITIAL_SEQUENCE_NUMBERS.local) + (role === ROLE.ACTIVE ? 0n : 1n);
  const sndUna = sequence(local + bytesAcked);
  const rcvNxt = sequence(BigInt(INITIAL_SEQUENCE_NUMBERS.peer) + 1n + bytesReceived);

  const record: RecordFields = {
    wall_offset_ns: END_UNIX_NS - END_BOOT_NS,
    start_ns: END_BOOT_NS - 12n * MILLISECOND,
    established_ns: attempt ? 0n : END_BOOT_NS - 10n * MILLISECOND,
    fin_sent_ns: attempt ? 0n : END_BOOT_NS - 2n * MILLISECOND,
    fin_received_ns: attempt ? 0n : END_BOOT_NS - 1n * MILLISECOND,
    end_ns: END_BOOT_NS,
    cookie: 42n,
    bytes_acked: bytesAcked,
    bytes_received: bytesReceived,
    owner_process_start_ns: 1_000_000_000n,
    owner_cgroup_id: 7n,
    owner_pid: 1234,
    owner_uid: 1000,
    owner_exec_id: 1,
    owner_comm: "curl",
    owner_exe: "curl",
    owner_source: OWNER.CONNECT,
    owner_excluded: 0,
    netns: 4_026_531_840,
    snd_una: sndUna,
    write_seq: sndUna,
    rcv_nxt: rcvNxt,
    copied_seq: rcvNxt,
    data_segs_in: attempt ? 0 : 2,
    data_segs_out: attempt ? 0 : 1,
    total_retrans: 0,
    srtt_us: attempt ? 0 : 150,
    rtt_min_us: attempt ? 0xffffffff : 100,
    handshake_rtt_us: role === ROLE.PASSIVE ? 120 : 0,
    flags: FLAG.START_OBSERVED |
      (attempt ? 0 : FLAG.SOCK_DONE | FLAG.LOCAL_FIN_FIRST | FLAG.ALL_READ),
    interim: 0,
    ifindex: 0,
    mptcp_token: 0,
    family: localAddress.length === 4 && peerAddress.length === 4 ? AF_INET : AF_INET6,
    local_port: 40000,
    peer_port: 443,
    err: 0,
    last_state: lastState,
    role,
    shutdown: 3,
    local_address: localAddress,
    peer_address: peerAddress,
    ...fields,
  };
  return encode(record);
}

/** A view on one record; see {@linkcode makeRecord}. */
export function makeSession(fields: Partial<RecordFields> = {}): Session {
  return new Session(makeRecord(fields));
}

/** A batch with one record for each argument; see {@linkcode makeRecord}. */
export function makeBatch(...records: readonly Partial<RecordFields>[]): SessionBatch {
  const bytes = new Uint8Array(records.length * RECORD.size);
  records.forEach((fields, index) => bytes.set(makeRecord(fields), index * RECORD.size));
  return new SessionBatch(bytes);
}

function encode(record: RecordFields): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(RECORD.size);
  const view = new DataView(bytes.buffer);
  for (const name of NUMBERS_64) {
    view.setBigUint64(RECORD[name], BigInt.asUintN(64, BigInt(record[name])), true);
  }
  for (const name of NUMBERS_32) view.setUint32(RECORD[name], record[name], true);
  for (const name of NUMBERS_16) view.setUint16(RECORD[name], record[name], true);
  for (const name of NUMBERS_8) view.setUint8(RECORD[name], record[name]);
  view.setUint8(RECORD.last_state, TCP_STATES.indexOf(record.last_state));
  for (const name of ADDRESSES) bytes.set(addressBytes(record[name]), RECORD[name]);
  bytes.set(textBytes(record.owner_comm, TEXT_LENGTH.comm), RECORD.owner_comm);
  bytes.set(textBytes(record.owner_exe, TEXT_LENGTH.exe), RECORD.owner_exe);
  return bytes;
}

/** A name as the kernel cuts it: at most `length` bytes, the last of which is NUL. */
function textBytes(text: string | Uint8Array, length: number): Uint8Array {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  return bytes.subarray(0, length - 1);
}

/** 4 or 16 bytes in network order. */
function addressBytes(address: string | Uint8Array): Uint8Array {
  if (typeof address !== "string") return address;
  if (!address.includes(":")) return Uint8Array.from(address.split("."), Number);
  const [before = "", after] = address.split("::");
  const head = groups(before);
  const tail = groups(after ?? "");
  const zeros = new Array<number>(8 - head.length - tail.length).fill(0);
  return Uint8Array.from([...head, ...zeros, ...tail].flatMap((g) => [g >> 8, g & 0xff]));
}

function groups(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => parseInt(group, 16));
}

/** Modulo 2^32. */
function sequence(value: bigint): number {
  return Number(BigInt.asUintN(32, value));
}
