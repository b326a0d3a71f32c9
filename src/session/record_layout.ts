// Generated from bpf/record.h and bpf/tcpspan.bpf.c by `deno task generate`. Do not edit.

/** Size of `struct record`, and offsets of its members, in bytes. */
export const RECORD = {
  size: 288,
  wall_offset_ns: 0,
  start_ns: 8,
  established_ns: 16,
  fin_sent_ns: 24,
  fin_received_ns: 32,
  end_ns: 40,
  cookie: 48,
  bytes_acked: 56,
  bytes_received: 64,
  owner_process_start_ns: 72,
  owner_cgroup_id: 80,
  owner_pid: 88,
  owner_uid: 92,
  owner_comm: 96,
  owner_exe: 112,
  owner_source: 176,
  owner_excluded: 177,
  owner_exec_id: 180,
  netns: 184,
  snd_una: 188,
  write_seq: 192,
  rcv_nxt: 196,
  copied_seq: 200,
  data_segs_in: 204,
  data_segs_out: 208,
  total_retrans: 212,
  srtt_us: 216,
  rtt_min_us: 220,
  handshake_rtt_us: 224,
  flags: 228,
  interim: 232,
  ifindex: 236,
  family: 240,
  local_port: 242,
  peer_port: 244,
  err: 246,
  last_state: 248,
  role: 249,
  shutdown: 250,
  local_address: 252,
  peer_address: 268,
  mptcp_token: 284,
} as const;

/** The same, with the members' sizes: `size:BYTES NAME:OFFSET:SIZE NAME:OFFSET:SIZE …`. */
export const RECORD_DESCRIPTION =
  "size:288 wall_offset_ns:0:8 start_ns:8:8 established_ns:16:8 fin_sent_ns:24:8 fin_received_ns:32:8 end_ns:40:8 cookie:48:8 bytes_acked:56:8 bytes_received:64:8 owner_process_start_ns:72:8 owner_cgroup_id:80:8 owner_pid:88:4 owner_uid:92:4 owner_comm:96:16 owner_exe:112:64 owner_source:176:1 owner_excluded:177:1 owner_exec_id:180:4 netns:184:4 snd_una:188:4 write_seq:192:4 rcv_nxt:196:4 copied_seq:200:4 data_segs_in:204:4 data_segs_out:208:4 total_retrans:212:4 srtt_us:216:4 rtt_min_us:220:4 handshake_rtt_us:224:4 flags:228:4 interim:232:4 ifindex:236:4 family:240:2 local_port:242:2 peer_port:244:2 err:246:2 last_state:248:1 role:249:1 shutdown:250:1 local_address:252:16 peer_address:268:16 mptcp_token:284:4";

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
  FD_TABLE: 2,
  CLOSE: 3,
  RECV: 4,
  CONNECT: 5,
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
  RESTORED: 256,
  ALL_READ: 512,
  ANNOUNCED: 1024,
  REFUSED_DATA: 2048,
  SAMPLED: 4096,
  DEFERRED: 8192,
  SOCKMAP: 16384,
  CLIENT_HERE: 32768,
  MPTCP: 65536,
  MPTCP_JOINED: 131072,
  MPTCP_FALLBACK: 262144,
} as const;

/** `enum network_list` */
export const NETWORKS = {
  INCLUDED: 0,
  EXCLUDED: 1,
} as const;

/** Size of `struct network_key`, and offsets of its members, in bytes. */
export const NETWORK_KEY = {
  size: 24,
  prefix_length: 0,
  list: 4,
  family: 6,
  address: 8,
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
  include_networks: 16648,
  exclude_networks: 16649,
  exclude_executables: 16650,
  exclude_cgroups: 16651,
  min_bytes: 16656,
  min_duration_ns: 16664,
  most_per_second: 16672,
  sampling: 16680,
  keep_errors: 16681,
  sampling_threshold: 16688,
  trace_key: 16696,
  report_existing: 16712,
  interim_ns: 16720,
  own_pid: 16728,
  own_traffic: 16732,
  pid_namespace: 16736,
  generation: 16744,
} as const;

/** Most pids of a filter, and most bytes of a description. */
export const LIMIT = {
  pids: 64,
  description: 4096,
} as const;

/** How many `struct tally` there are; size of one and offsets of its members, in bytes. */
export const TALLY = {
  count: 256,
  size: 64,
  open: 0,
} as const;

/** Size of `.bss` in bytes, and offsets of its counters. */
export const BSS = {
  size: 49948,
  active_generation: 0,
  tracing_since_ns: 8,
  skipped_runs: 16,
  lost_ring_full: 24,
  lost_storage_failed: 32,
  count_until: 40,
  still_open: 48,
  sampled_out: 56,
  over_cap: 64,
  second_began: 72,
  in_second: 80,
  round_began_ns: 88,
  last_round: 96,
  clock_readings: 104,
  tallies: 512,
  joining: 16896,
  own_peer_ports: 49664,
} as const;

/** The variables in `.bss`: `NAME:OFFSET:SIZE …`. */
export const BSS_DESCRIPTION =
  "active_generation:0:8 tracing_since_ns:8:8 skipped_runs:16:8 lost_ring_full:24:8 lost_storage_failed:32:8 count_until:40:8 still_open:48:8 sampled_out:56:8 over_cap:64:8 second_began:72:8 in_second:80:8 round_began_ns:88:8 last_round:96:8 clock_readings:104:384 tallies:512:16384 joining:16896:32768 own_peer_ports:49664:256";

/** Of bpf/tcpspan.bpf.o, in lower-case hex. */
export const OBJECT_SHA256 = "2d7c6ce3f5849a39d57af985aa5829154284c14e05d4aa63e411c26d45bfbf36";

/** Equal in programs that can take over each other's maps. */
export const STATE_ID = "1faaa12f2a1512e5";
