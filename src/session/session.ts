/** One end of a TCP session: a view on its record. */
import { formatIpv4, formatIpv6, writeIpv4, writeIpv6 } from "../net/address.ts";
import { localInitialNumber, peerInitialNumber } from "./initial_numbers.ts";
import { FLAG, OWNER, RECORD, ROLE, TEXT_LENGTH } from "./record_layout.ts";
import { UnixTime } from "../bytes/unix_time.ts";

/** States of include/net/tcp_states.h by number, as `tcpspan.state.last` spells them. */
export const TCP_STATES = [
  "unknown",
  "established",
  "syn_sent",
  "syn_recv",
  "fin_wait1",
  "fin_wait2",
  "time_wait",
  "close",
  "close_wait",
  "last_ack",
  "listen",
  "closing",
  "new_syn_recv",
] as const;

/** A TCP state, as `tcpspan.state.last` spells it. */
export type TcpState = typeof TCP_STATES[number];

/** `active` opened with connect(), `passive` was accepted. */
export type Role = "active" | "passive" | "unknown";

/** `enum owner_source` by number, as `tcpspan.owner.source` spells it. */
export const OWNER_SOURCES = ["unknown", "listen", "fd_table", "close", "recv", "connect"] as const;

/** How the owner was learnt: `tcpspan.owner.source`. */
export type OwnerSource = typeof OWNER_SOURCES[number];

const AF_INET = 2; // include/linux/socket.h
const NO_RTT = 0xffffffff;

const decoder = new TextDecoder();

// each used within one statement
const scratch = new UnixTime();
const sent = new UnixTime();

/** An end of a session: `local` is the one whose record it is, `peer` the other one. */
export type End = "local" | "peer";

/** The initial sequence numbers of both ends, each 32 bits. */
export interface InitialSequenceNumbers {
  /** Of the end whose record this is. */
  readonly local: number;
  /** Of the other end. */
  readonly peer: number;
}

/**
 * A view on one record: nothing is copied or decoded until it is asked for. Times are nanoseconds
 * since the Unix epoch, durations microseconds, sizes bytes.
 */
export class Session {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;
  #offset = 0;

  /** @param bytes whole records, of which this shows the first until it is moved */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Shows the record at `index` from now on. */
  moveTo(index: number): this {
    this.#offset = index * RECORD.size;
    return this;
  }

  /** Wall-clock time of the first SYN: sent by the active end; for the passive end, its SYN-ACK. */
  get startUnixNs(): bigint {
    this.readStart(scratch);
    return scratch.ns;
  }

  /** When the connection was established; undefined if it never was, or that was not seen. */
  get establishedUnixNs(): bigint | undefined {
    return this.readEstablished(scratch) ? scratch.ns : undefined;
  }

  /** When this end's FIN was queued. */
  get finSentUnixNs(): bigint | undefined {
    return this.readFinSent(scratch) ? scratch.ns : undefined;
  }

  /** When the peer's FIN arrived, if that changed the state. */
  get finReceivedUnixNs(): bigint | undefined {
    return this.readFinReceived(scratch) ? scratch.ns : undefined;
  }

  /** When the socket entered CLOSE. */
  get endUnixNs(): bigint {
    this.readEnd(scratch);
    return scratch.ns;
  }

  /** Sets `time` to `startUnixNs`. */
  readStart(time: UnixTime): void {
    this.#readWall(RECORD.start_ns, time);
    const { handshakeRttUs } = this;
    if (this.role !== "passive" || !this.startObserved) return;
    if (handshakeRttUs === 0) return;
    if (this.has(FLAG.DEFERRED) && handshakeRttUs % 1000 === 0) return; // the peer's timestamps'
    // SYN_RECV comes with what answered the SYN-ACK; the time is measured at ESTABLISHED
    this.#readWall(RECORD.established_ns, sent);
    sent.subtract(handshakeRttUs * 1000);
    if (sent.isBefore(time)) time.copy(sent);
  }

  /** Sets `time` to `establishedUnixNs`; false if that is undefined. */
  readEstablished(time: UnixTime): boolean {
    return this.#readWallIfSeen(RECORD.established_ns, time);
  }

  /** Sets `time` to `finSentUnixNs`; false if that is undefined. */
  readFinSent(time: UnixTime): boolean {
    return this.#readWallIfSeen(RECORD.fin_sent_ns, time);
  }

  /** Sets `time` to `finReceivedUnixNs`; false if that is undefined. */
  readFinReceived(time: UnixTime): boolean {
    return this.#readWallIfSeen(RECORD.fin_received_ns, time);
  }

  /** Sets `time` to `endUnixNs`. */
  readEnd(time: UnixTime): void {
    this.#readWall(RECORD.end_ns, time);
  }

  /** From `startUnixNs` to `endUnixNs`. */
  get durationUs(): number {
    return Number(this.endUnixNs - this.startUnixNs) / 1000;
  }

  /** tcplife's interval in whole microseconds: from ESTABLISHED if that was seen. */
  get lifeUs(): number {
    const from = this.#seen(RECORD.established_ns) ? RECORD.established_ns : RECORD.start_ns;
    return Math.floor(this.#between(from, RECORD.end_ns) / 1000);
  }

  /**
   * From SYN to ESTABLISHED (active), or the SYN-ACK's round trip (passive), if known. A listener
   * with TCP_DEFER_ACCEPT has no round trip: the kernel drops the answer to its SYN-ACK.
   */
  get handshakeUs(): number | undefined {
    if (this.role === "passive") {
      return this.has(FLAG.DEFERRED) ? undefined : this.handshakeRttUs || undefined;
    }
    if (this.role !== "active" || !this.#seen(RECORD.established_ns)) return undefined;
    if (this.has(FLAG.RESTORED) || !this.startObserved) return undefined;
    return Math.trunc(this.#between(RECORD.start_ns, RECORD.established_ns) / 1000);
  }

  /** The SYN-ACK's round trip, with FLAG.DEFERRED until data came; 0 if there was no sample. */
  get handshakeRttUs(): number {
    return this.#u32(RECORD.handshake_rtt_us);
  }

  /** False for a session that was open before the tracer started. */
  get startObserved(): boolean {
    return this.has(FLAG.START_OBSERVED);
  }

  /** Nanoseconds of the boot clock at the start; it differs between attempts of one socket. */
  get startBootNs(): bigint {
    return this.#view.getBigUint64(this.#offset + RECORD.start_ns, true);
  }

  /** Whether this end opened or accepted; unknown for some sessions whose start was not seen. */
  get role(): Role {
    switch (this.#bytes[this.#offset + RECORD.role]) {
      case ROLE.ACTIVE:
        return "active";
      case ROLE.PASSIVE:
        return "passive";
    }
    return "unknown";
  }

  /** 0 for a session that ended; for a report of an open one, which one it is: 1, 2, … */
  get interim(): number {
    return this.#u32(RECORD.interim);
  }

  /** Whether the handshake was completed. */
  get established(): boolean {
    if (this.#seen(RECORD.established_ns)) return true;
    const state = this.lastState;
    return state !== "syn_sent" && state !== "syn_recv" && state !== "unknown";
  }

  /** Whether the peer acknowledged something, the SYN included, or sent data. */
  get #hasTransferred(): boolean {
    return this.#u64(RECORD.bytes_acked) > 0 || this.#u64(RECORD.bytes_received) > 0;
  }

  /** The state before CLOSE; of a session that is open, its present state. */
  get lastState(): TcpState {
    const state = TCP_STATES[this.#bytes[this.#offset + RECORD.last_state] ?? 0] ?? "unknown";
    return this.has(FLAG.BACKSTOP) ? this.#furthest(state) : state;
  }

  /**
   * If CLOSE was not seen, the state change before it may not have been seen either: then `seen` is
   * older than the state before CLOSE, which follows from the sequence numbers.
   */
  #furthest(seen: TcpState): TcpState {
    const peerFin = this.has(FLAG.SOCK_DONE);
    const inHandshake = seen === "syn_sent" || seen === "syn_recv";
    const isChild = seen === "listen"; // the state of the listener that it was copied from
    if (seen === "established" || isChild || (inHandshake && this.#hasTransferred)) {
      return peerFin ? "close_wait" : "established";
    }
    if (seen !== "fin_wait1") return seen;
    if (this.#u32(RECORD.snd_una) === this.#u32(RECORD.write_seq)) return "fin_wait2";
    return peerFin ? "closing" : seen;
  }

  /** Whether all flags of `mask` (FLAG) are set. */
  has(mask: number): boolean {
    return (this.#u32(RECORD.flags) & mask) === mask;
  }

  /** sk_err: an errno, 0 for none. */
  get errno(): number {
    return this.#u16(RECORD.err);
  }

  /** sk_shutdown: bit 0 receiving, bit 1 sending is shut down. */
  get shutdown(): number {
    return this.#bytes[this.#offset + RECORD.shutdown] ?? 0;
  }

  /** `ipv4` or `ipv6`, of the packets: an IPv4 peer of a dual-stack socket is `ipv4`. */
  get family(): "ipv4" | "ipv6" {
    return this.#u16(RECORD.family) === AF_INET ? "ipv4" : "ipv6";
  }

  get localAddress(): string {
    return this.address("local");
  }

  get peerAddress(): string {
    return this.address("peer");
  }

  /** The text of an address. */
  address(end: End): string {
    const at = this.#offset + addressOf(end);
    return this.family === "ipv4" ? formatIpv4(this.#bytes, at) : formatIpv6(this.#bytes, at);
  }

  /** Index of the network interface that the socket is bound to; 0 if it is bound to none. */
  get interfaceIndex(): number {
    return this.#u32(RECORD.ifindex);
  }

  /**
   * Word 0 to 3 of an address as a signed number: 127.0.0.1 has 0x7f000001 in its word 0, and nothing
   * in the others.
   */
  addressWord(end: End, index: number): number {
    return this.#view.getInt32(this.#offset + addressOf(end) + 4 * index, false);
  }

  /**
   * Writes the text of an address, at most 39 bytes of ASCII, at `at`. What follows is overwritten,
   * up to byte 40.
   * @returns where the text ends
   */
  writeAddress(end: End, target: DataView, at: number): number {
    return this.family === "ipv4"
      ? writeIpv4(this.addressWord(end, 0), target, at)
      : writeIpv6(this.#view, this.#offset + addressOf(end), target, at);
  }

  get localPort(): number {
    return this.#u16(RECORD.local_port);
  }

  get peerPort(): number {
    return this.#u16(RECORD.peer_port);
  }

  /** The port of the end that listened, if the role is known. */
  get serverPort(): number | undefined {
    const { role } = this;
    if (role === "unknown") return undefined;
    return role === "active" ? this.peerPort : this.localPort;
  }

  /** Payload that the peer acknowledged: SYN and FIN not counted. */
  get txBytes(): number {
    const syn = this.role === "active" && this.established && !this.has(FLAG.RESTORED) ? 1 : 0;
    return Math.max(0, this.#u64(RECORD.bytes_acked) - syn - (this.finAcked ? 1 : 0));
  }

  /** Payload received in order: FIN not counted. */
  get rxBytes(): number {
    return Math.max(0, this.#u64(RECORD.bytes_received) - (this.has(FLAG.SOCK_DONE) ? 1 : 0));
  }

  /** Payload written but never acknowledged. */
  get unackedBytes(): number {
    const written = this.#u32(RECORD.write_seq);
    const acked = this.#u32(RECORD.snd_una);
    const fin = this.finSent && !this.finAcked ? 1 : 0;
    const syn = this.lastState === "syn_sent" && written !== acked ? 1 : 0;
    return Math.max(0, (written - acked >>> 0) - fin - syn);
  }

  /** Payload received but never read; undefined if the process may still read it. */
  get unreadBytes(): number | undefined {
    if (!this.established) return 0;
    const waiting = this.#u32(RECORD.rcv_nxt) - this.#u32(RECORD.copied_seq) >>> 0;
    const unread = waiting - (this.has(FLAG.SOCK_DONE) && waiting > 0 ? 1 : 0);
    return unread === 0 || this.has(FLAG.ALL_READ) || this.interim > 0 ? unread : undefined;
  }

  /** Whether this end sent a FIN. */
  get finSent(): boolean {
    const state = this.lastState;
    return state === "fin_wait1" || state === "fin_wait2" || state === "closing" ||
      state === "last_ack";
  }

  /** Whether the peer acknowledged the FIN. */
  get finAcked(): boolean {
    return this.finSent && this.#u32(RECORD.snd_una) === this.#u32(RECORD.write_seq);
  }

  /** Segments with data. */
  get txSegments(): number {
    return this.#u32(RECORD.data_segs_out);
  }

  /** Segments with data. */
  get rxSegments(): number {
    return this.#u32(RECORD.data_segs_in);
  }

  /** Segments sent again, SYN and SYN-ACK included. */
  get retransmits(): number {
    return this.#u32(RECORD.total_retrans);
  }

  /** Smoothed round-trip time; undefined without a sample, or if a wait for data is in it. */
  get smoothedRttUs(): number | undefined {
    const { minRttUs = 0 } = this;
    return this.#waitUs > 2 * minRttUs ? undefined : this.#u32(RECORD.srtt_us) || undefined;
  }

  /** Least round-trip time of the kernel's window; undefined without a sample. */
  get minRttUs(): number | undefined {
    const rtt = this.#u32(RECORD.rtt_min_us);
    const waitUs = this.#waitUs;
    return rtt === NO_RTT || waitUs !== 0 && rtt >= waitUs ? undefined : rtt;
  }

  /** What the kernel took for the first round trip of a deferred session: the wait for its data. */
  get #waitUs(): number {
    return this.has(FLAG.DEFERRED) ? this.handshakeRttUs : 0;
  }

  /** Both initial sequence numbers of an established session; undefined if they are not certain. */
  get initialSequenceNumbers(): InitialSequenceNumbers | undefined {
    if (!this.joinable) return undefined;
    return { local: this.localInitialNumber, peer: this.peerInitialNumber };
  }

  /** Whether the initial sequence numbers are certain. */
  get joinable(): boolean {
    return this.established && this.role !== "unknown" && !this.has(FLAG.REPAIR) &&
      !this.has(FLAG.RESTORED);
  }

  /** This end's initial sequence number, if `joinable`. */
  get localInitialNumber(): number {
    const passive = this.role === "passive" ? 1 : 0;
    return localInitialNumber(this.word(RECORD.snd_una), this.word(RECORD.bytes_acked), passive);
  }

  /** The other end's initial sequence number, if `joinable`. */
  get peerInitialNumber(): number {
    return peerInitialNumber(this.word(RECORD.rcv_nxt), this.word(RECORD.bytes_received));
  }

  /** The initial sequence number of an attempt that was never established; 0 if no SYN was sent. */
  get attemptSequenceNumber(): number {
    return this.#u32(RECORD.snd_una);
  }

  /**
   * Whether it is a subflow of an MPTCP connection (RFC 8684); false for a socket of MPTCP that became
   * plain TCP in its handshake, undefined for one of TCP.
   */
  get mptcp(): boolean | undefined {
    if (this.has(FLAG.MPTCP)) return true;
    return this.has(FLAG.MPTCP_FALLBACK) && this.established ? false : undefined;
  }

  /** Whether its socket was in a sockmap: what its process sent or received may have passed TCP by. */
  get bytesBypassed(): boolean {
    return this.has(FLAG.SOCKMAP);
  }

  /** Whether it joined an MPTCP connection that was there before it. */
  get mptcpJoined(): boolean {
    return this.has(FLAG.MPTCP_JOINED);
  }

  /** The token of this end's MPTCP connection, the same for all its subflows; undefined if none. */
  get mptcpToken(): number | undefined {
    return this.mptcp === true ? this.#u32(RECORD.mptcp_token) || undefined : undefined;
  }

  /** The kernel's socket cookie; 0 if it has none. */
  get cookie(): bigint {
    return this.#view.getBigUint64(this.#offset + RECORD.cookie, true);
  }

  /** Inode of the network namespace. */
  get netns(): number {
    return this.#u32(RECORD.netns);
  }

  /** Process id in the tracer's pid namespace; undefined if unknown or not visible there. */
  get pid(): number | undefined {
    return this.#u32(RECORD.owner_pid) || undefined;
  }

  /** User id; undefined without an owner. */
  get uid(): number | undefined {
    return this.ownerSource === "unknown" ? undefined : this.#u32(RECORD.owner_uid);
  }

  /** `cookie` as a number: exact up to 2^53. */
  get cookieNumber(): number {
    return this.#u64(RECORD.cookie);
  }

  /** The kernel's comm of the thread that acted; may hold any byte, decoded as UTF-8. */
  get comm(): string {
    return this.#text(RECORD.owner_comm, TEXT_LENGTH.comm);
  }

  /** The bytes of `comm`, not copied from the record. */
  get commBytes(): Uint8Array {
    const start = this.#offset + RECORD.owner_comm;
    const bytes = this.#bytes.subarray(start, start + TEXT_LENGTH.comm);
    const end = bytes.indexOf(0);
    return end === -1 ? bytes : bytes.subarray(0, end);
  }

  /** Base name of the owner's executable, cut to 63 bytes; empty if unknown. */
  get executable(): string {
    return this.#text(RECORD.owner_exe, TEXT_LENGTH.exe);
  }

  /**
   * Writes `comm` at `at` if it is ASCII.
   * @returns where it ends; -1 if it is not ASCII, then ignore what was written
   */
  writeAsciiComm(target: DataView, at: number): number {
    const start = this.#offset + RECORD.owner_comm;
    for (let i = 0; i < TEXT_LENGTH.comm; i++) {
      const byte = this.#bytes[start + i] ?? 0;
      if (byte === 0) return at + i;
      if (byte >= 0x80) return -1;
      target.setUint8(at + i, byte);
    }
    return at + TEXT_LENGTH.comm;
  }

  get ownerSource(): OwnerSource {
    return OWNER_SOURCES[this.#bytes[this.#offset + RECORD.owner_source] ?? OWNER.UNKNOWN] ??
      "unknown";
  }

  /** Id of the owner's cgroup (v2): the inode of its folder. */
  get cgroupId(): bigint {
    return this.#view.getBigUint64(this.#offset + RECORD.owner_cgroup_id, true);
  }

  /** Nanoseconds of the boot clock when the owner was started; 0 without an owner. */
  get processStartBootNs(): bigint {
    return this.#view.getBigUint64(this.#offset + RECORD.owner_process_start_ns, true);
  }

  /** When the owner was started; undefined without an owner. */
  get processStartUnixNs(): bigint | undefined {
    return this.#readWallIfSeen(RECORD.owner_process_start_ns, scratch) ? scratch.ns : undefined;
  }

  /** 32 bits of the record as they are, at an offset of `RECORD`: to compare, and to hash. */
  word(field: number): number {
    return this.#view.getInt32(this.#offset + field, true);
  }

  #readWall(field: number, time: UnixTime): void {
    time.set(this.word(field), this.word(field + 4));
    time.add(this.word(RECORD.wall_offset_ns), this.word(RECORD.wall_offset_ns + 4));
  }

  #seen(field: number): boolean {
    return this.#u32(field) !== 0 || this.#u32(field + 4) !== 0;
  }

  #readWallIfSeen(field: number, time: UnixTime): boolean {
    if (!this.#seen(field)) return false;
    this.#readWall(field, time);
    return true;
  }

  /** Nanoseconds from one time to another; exact up to 104 days. */
  #between(from: number, to: number): number {
    const high = this.#u32(to + 4) - this.#u32(from + 4);
    return high * 2 ** 32 + this.#u32(to) - this.#u32(from);
  }

  #u16(field: number): number {
    return this.#view.getUint16(this.#offset + field, true);
  }

  #u32(field: number): number {
    return this.#view.getUint32(this.#offset + field, true);
  }

  /** Exact up to 2^53. */
  #u64(field: number): number {
    return this.#u32(field + 4) * 2 ** 32 + this.#u32(field);
  }

  #text(field: number, length: number): string {
    const start = this.#offset + field;
    const end = this.#bytes.indexOf(0, start);
    return decoder.decode(
      this.#bytes.subarray(start, end === -1 ? start + length : Math.min(end, start + length)),
    );
  }
}

function addressOf(end: End): number {
  return end === "local" ? RECORD.local_address : RECORD.peer_address;
}
