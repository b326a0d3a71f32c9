// Generated from bpf/record.h and bpf/tcpspan.bpf.c by `deno task generate`. Do not edit.

/** Size of `struct record`, and offsets of its members, in bytes. */
export const RECORD = {
  size: 304,
  wall_offset_ns: 0,
  start_ns: 8,
  established_ns: 16,
  fin_sent_ns: 24,
  fin_received_ns: 32,
  end_ns: 40,
  cookie: 48,
  bytes_acked: 56,
  bytes_received: 64,
  bytes_sent: 72,
  bytes_retrans: 80,
  owner_process_start_ns: 88,
  owner_cgroup_id: 96,
  owner_pid: 104,
  owner_uid: 108,
  owner_comm: 112,
  owner_exe: 128,
  owner_source: 192,
  netns: 200,
  snd_una: 204,
  snd_nxt: 208,
  write_seq: 212,
  rcv_nxt: 216,
  copied_seq: 220,
  data_segs_in: 224,
  data_segs_out: 228,
  total_retrans: 232,
  srtt_us: 236,
  rtt_min_us: 240,
  handshake_rtt_us: 244,
  flags: 248,
  family: 252,
  local_port: 254,
  peer_port: 256,
  err: 258,
  last_state: 260,
  role: 261,
  shutdown: 262,
  local_address: 268,
  peer_address: 284,
} as const;

/** Sizes of the owner's names in bytes, NUL included. */
export const TEXT_LENGTH = {
  comm: 16,
  exe: 64,
} as const;

/** `enum role` */
export const ROLE = {
  UNKNOWN: 0,
  ACTIVE: 1,
  PASSIVE: 2,
  LISTENER: 3,
} as const;

/** `enum owner_source` */
export const OWNER = {
  UNKNOWN: 0,
  LISTEN: 1,
  CLOSE: 2,
  RECV: 3,
  CONNECT: 4,
} as const;

/** `enum record_flags` */
export const FLAG = {
  SOCK_DONE: 1,
  LINGER_ZERO: 2,
  OWNED: 4,
  REPAIR: 8,
  START_OBSERVED: 16,
  BACKSTOP: 32,
  LOCAL_FIN_FIRST: 64,
  PEER_FIN_FIRST: 128,
} as const;

/** Offsets of the settings in `.rodata`. */
export const RODATA = {
  filter_pid_count: 0,
  filter_pids: 4,
  filter_local_ports: 260,
  filter_peer_ports: 261,
  local_ports: 262,
  peer_ports: 8454,
  filter_family: 16646,
  report_existing: 16648,
  own_pid: 16652,
  pid_namespace: 16656,
  tracer_start_ns: 16664,
} as const;

/** How many entries the settings in `.rodata` have room for. */
export const LIMIT = {
  pids: 64,
} as const;

/** Size of `.bss` in bytes, and offsets of its counters. */
export const BSS = {
  size: 36,
  lost_ring_full: 0,
  lost_storage_failed: 8,
} as const;
