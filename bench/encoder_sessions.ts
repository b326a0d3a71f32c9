/** Batches to measure the encoder with, as on busy hosts. */
import { constants } from "node:os";
import { SessionBatch } from "../src/session/batch.ts";
import { FLAG, RECORD, ROLE } from "../src/session/record_layout.ts";
import { makeRecord, type RecordFields } from "../test/fixtures.ts";

const SESSIONS = 4096; // as many as the otlp exporter sends at once
const PROCESSES = 20;
const NO_PROCESS = 2 ** 22; // no process has a pid above this

/** Both ends of sessions on one host, over IPv4 and IPv6, and attempts that were refused. */
export function encoderBatches(): Readonly<Record<string, SessionBatch>> {
  return {
    "IPv4, client and server": batch((i) => session(i, `10.0.${i >> 8 & 255}.${i & 255}`)),
    "IPv6, client and server": batch((i) => session(i, `2001:db8::${(i + 1).toString(16)}`)),
    "IPv4, refused": batch((i) => ({
      ...owner(i),
      last_state: "syn_sent",
      err: constants.errno.ECONNREFUSED,
      local_port: 32768 + i,
      peer_port: 8080,
      snd_una: Math.imul(i, 0x9e3779b1) >>> 0,
      write_seq: (Math.imul(i, 0x9e3779b1) >>> 0) + 1 >>> 0,
    })),
  };
}

function batch(fieldsOf: (index: number) => Partial<RecordFields>): SessionBatch {
  const bytes = new Uint8Array(SESSIONS * RECORD.size);
  for (let i = 0; i < SESSIONS; i++) bytes.set(makeRecord(fieldsOf(i)), i * RECORD.size);
  return new SessionBatch(bytes);
}

/** A client's end for an even `i`, a server's for an odd one; `address` is the other end's too. */
function session(i: number, address: string): Partial<RecordFields> {
  const server = i % 2 === 1;
  const [local_port, peer_port] = server ? [8080, 32768 + i] : [32768 + i, 8080];
  return {
    ...owner(i),
    role: server ? ROLE.PASSIVE : ROLE.ACTIVE,
    flags: FLAG.START_OBSERVED | FLAG.SOCK_DONE | FLAG.ALL_READ |
      (server ? FLAG.PEER_FIN_FIRST : FLAG.LOCAL_FIN_FIRST),
    last_state: server ? "last_ack" : "fin_wait2",
    local_address: address,
    peer_address: address,
    local_port,
    peer_port,
    snd_una: Math.imul(i, 0x9e3779b1) >>> 0, // as wild as the kernel's
    write_seq: Math.imul(i, 0x9e3779b1) >>> 0,
    rcv_nxt: Math.imul(i, 0x85ebca6b) >>> 0,
    copied_seq: Math.imul(i, 0x85ebca6b) >>> 0,
    bytes_acked: BigInt(i * 37 % 100_000),
    bytes_received: BigInt(i * 91 % 1_000_000),
    srtt_us: 20 + i * 7 % 5000,
    rtt_min_us: 10 + i * 3 % 400,
    cookie: BigInt(i + 70_000),
  };
}

function owner(i: number): Partial<RecordFields> {
  const process = i * 7 % PROCESSES;
  return {
    owner_pid: NO_PROCESS + process,
    owner_process_start_ns: BigInt(1_000_000 + process),
    owner_exe: `worker-${process}`,
    owner_comm: "worker-thread",
  };
}
