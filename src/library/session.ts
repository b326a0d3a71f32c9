/** One end of a TCP session, as a program that imports tcpspan gets it. */
import type { Ending } from "../session/ending.ts";
import type { InitialSequenceNumbers, OwnerSource, Role, TcpState } from "../session/session.ts";

/**
 * What is known of one end of a TCP session, as plain data. Members named `Ns` are nanoseconds and
 * those named `Us` microseconds; `UnixNs` counts from the Unix epoch, `BootNs` from the boot. Sizes
 * are bytes of payload. What is not known is undefined, and left out by
 * {@linkcode Session.toObject}.
 */
export interface SessionData {
  /** When the first SYN was sent; for the end that was connected to, its SYN-ACK. */
  readonly startUnixNs: bigint;
  /** When the connection was established; undefined if it never was, or that was not seen. */
  readonly establishedUnixNs?: bigint | undefined;
  /** When this end's FIN was queued. */
  readonly finSentUnixNs?: bigint | undefined;
  /** When the peer's FIN arrived, if that changed the state. */
  readonly finReceivedUnixNs?: bigint | undefined;
  /** When the socket was closed; of a report of an open session, when the report was made. */
  readonly endUnixNs: bigint;
  /** From `startUnixNs` to `endUnixNs`. */
  readonly durationUs: number;
  /** tcplife's interval, whole microseconds: from the connection's establishment, if there was one. */
  readonly lifeUs: number;
  /**
   * From SYN to ESTABLISHED at the end that connected; at the other, the SYN-ACK's round trip, which
   * is not known of a listener with TCP_DEFER_ACCEPT.
   */
  readonly handshakeUs?: number | undefined;
  /**
   * Round trip of the SYN-ACK, which the end that was connected to measures, with TCP_DEFER_ACCEPT
   * until data came; 0 without a sample.
   */
  readonly handshakeRttUs: number;
  /** False for a session that was open before the capture began. */
  readonly startObserved: boolean;
  /** 0 for a session that ended; for a report of one that is open, which report of it this is. */
  readonly interim: number;
  /** Which end this is: `active` connected, `passive` was connected to. */
  readonly role: Role;
  /** Whether the handshake was completed. */
  readonly established: boolean;
  /** The state before CLOSE; of a session that is open, its state. */
  readonly lastState: TcpState;
  /** How it ended, and who ended it; undefined for a session that is open. */
  readonly ending?: Ending | undefined;
  /** The socket's error, `sk_err` in the kernel: an errno, 0 for none. */
  readonly errno: number;
  /** What was shut down, `sk_shutdown` in the kernel: 1 for receiving, 2 for sending, 3 for both. */
  readonly shutdown: number;
  /** What else the kernel program noted: bits of {@linkcode FLAG}. */
  readonly flags: number;
  /** Of the packets: an IPv4 peer of a dual-stack socket is `ipv4`. */
  readonly family: "ipv4" | "ipv6";
  /** Address of the end whose record this is, without a zone. */
  readonly localAddress: string;
  /** Port of the end whose record this is; 0 for an attempt that found none free. */
  readonly localPort: number;
  /** Address of the other end, without a zone. */
  readonly peerAddress: string;
  /** Port of the other end. */
  readonly peerPort: number;
  /** Port of the end that listened; undefined if the role is unknown. */
  readonly serverPort?: number | undefined;
  /** Index of the network interface that the socket is bound to; 0 for none. */
  readonly interfaceIndex: number;
  /** Payload that the peer acknowledged. */
  readonly txBytes: number;
  /** Payload received in order. */
  readonly rxBytes: number;
  /** Payload that was written, and never acknowledged. */
  readonly unackedBytes: number;
  /** Payload that was received and never read; undefined if the process may still read it. */
  readonly unreadBytes?: number | undefined;
  /** Segments with data that were sent. */
  readonly txSegments: number;
  /** Segments with data that were received. */
  readonly rxSegments: number;
  /** Segments that were sent again, SYN and SYN-ACK included. */
  readonly retransmits: number;
  /** Smoothed round-trip time; undefined without a sample, or if a wait for data is in it. */
  readonly smoothedRttUs?: number | undefined;
  /** Least round-trip time of the kernel's window (five minutes); undefined without a sample. */
  readonly minRttUs?: number | undefined;
  /** Whether this end sent a FIN. */
  readonly finSent: boolean;
  /** Whether the peer acknowledged that FIN. */
  readonly finAcked: boolean;
  /** Id of the process, in the pid namespace of this program; undefined if not known there. */
  readonly pid?: number | undefined;
  /** Id of the user; undefined without a process. */
  readonly uid?: number | undefined;
  /** Name of the thread that acted, 15 bytes at most; any process may choose any name. */
  readonly comm: string;
  /** Base name of the executable, 63 bytes at most; empty if not known. */
  readonly executable: string;
  /** How the process was found; `unknown` if it was not. */
  readonly ownerSource: OwnerSource;
  /** When the process was started; undefined without a process. */
  readonly processStartUnixNs?: bigint | undefined;
  /** Id of the process's cgroup (v2): the inode of its folder. */
  readonly cgroupId: bigint;
  /** Inode of the network namespace. */
  readonly netns: number;
  /** The kernel's cookie of the socket; 0 if it has none. */
  readonly cookie: bigint;
  /** Whether its socket was in a sockmap: bytes may have passed TCP by, which then counted none. */
  readonly bytesBypassed: boolean;
  /**
   * Whether it is a subflow of an MPTCP connection; false for a socket of MPTCP that became plain TCP in
   * its handshake, undefined for one of TCP.
   */
  readonly mptcp?: boolean | undefined;
  /** Whether it joined an MPTCP connection that was there before it. */
  readonly mptcpJoined: boolean;
  /** The token of this end's MPTCP connection, the same for all its subflows. */
  readonly mptcpToken?: number | undefined;
  /** The start, by the clock since boot; it differs between attempts of one socket. */
  readonly startBootNs: bigint;
  /** The time of the boot, by the wall clock at the end of the session. */
  readonly bootUnixNs: bigint;
  /**
   * Of both ends, if they are known for sure: trace ids are made of them. As long as the session is
   * open they are a secret, because whoever knows them can write into it; so toJSON leaves them out
   * of reports of open sessions.
   */
  readonly initialSequenceNumbers?: InitialSequenceNumbers | undefined;
  /** Initial sequence number of an attempt that was never established; 0 if no SYN left. */
  readonly attemptSequenceNumber?: number | undefined;
}

/** {@linkcode SessionData} as JSON holds it: whole numbers of 64 bits are text, in decimal digits. */
export type SessionJson = {
  readonly [Name in keyof SessionData]: SessionData[Name] extends bigint ? string
    : SessionData[Name] extends bigint | undefined ? string | undefined
    : SessionData[Name];
};

/**
 * One end of a TCP session: a view on its record, which is decoded as it is read. It can be read
 * until its batch is given up: when the batch is disposed of, or the next one is asked for. From
 * then on every member throws a TypeError. What {@linkcode Session.toObject} gave stays.
 */
export interface Session extends SessionData {
  /** Whether all bits of `flags` are set: one of {@linkcode FLAG}, or several, joined by `|`. */
  has(flags: number): boolean;
  /**
   * All of it as plain data, to keep or to hand to others: a copy, with `bigint` as in the members
   * here. JSON.stringify writes it as {@linkcode Session.toJSON} does.
   */
  toObject(): SessionData;
  /** What JSON.stringify writes: as {@linkcode Session.toObject}, each `bigint` as decimal text. */
  toJSON(): SessionJson;
}
