/** Views on sessions, as programs get them: readable until their batch is given up. */
import { endingOf } from "../session/ending.ts";
import { RECORD } from "../session/record_layout.ts";
import { Session as Record } from "../session/session.ts";
import type { Session, SessionData, SessionJson } from "./session.ts";

type Reader<Name extends keyof SessionData> = (record: Record) => SessionData[Name];

/** How each member is read, in the order in which `toObject` has them. */
const READERS: { readonly [Name in keyof Required<SessionData>]: Reader<Name> } = {
  startUnixNs: (record) => record.startUnixNs,
  establishedUnixNs: (record) => record.establishedUnixNs,
  finSentUnixNs: (record) => record.finSentUnixNs,
  finReceivedUnixNs: (record) => record.finReceivedUnixNs,
  endUnixNs: (record) => record.endUnixNs,
  durationUs: (record) => record.durationUs,
  lifeUs: (record) => record.lifeUs,
  handshakeUs: (record) => record.handshakeUs,
  handshakeRttUs: (record) => record.handshakeRttUs,
  startObserved: (record) => record.startObserved,
  interim: (record) => record.interim,
  role: (record) => record.role,
  established: (record) => record.established,
  lastState: (record) => record.lastState,
  ending: (record) => record.interim === 0 ? endingOf(record) : undefined,
  errno: (record) => record.errno,
  shutdown: (record) => record.shutdown,
  flags: (record) => record.word(RECORD.flags) >>> 0,
  family: (record) => record.family,
  localAddress: (record) => record.localAddress,
  localPort: (record) => record.localPort,
  peerAddress: (record) => record.peerAddress,
  peerPort: (record) => record.peerPort,
  serverPort: (record) => record.serverPort,
  interfaceIndex: (record) => record.interfaceIndex,
  txBytes: (record) => record.txBytes,
  rxBytes: (record) => record.rxBytes,
  unackedBytes: (record) => record.unackedBytes,
  unreadBytes: (record) => record.unreadBytes,
  txSegments: (record) => record.txSegments,
  rxSegments: (record) => record.rxSegments,
  retransmits: (record) => record.retransmits,
  smoothedRttUs: (record) => record.smoothedRttUs,
  minRttUs: (record) => record.minRttUs,
  finSent: (record) => record.finSent,
  finAcked: (record) => record.finAcked,
  pid: (record) => record.pid,
  uid: (record) => record.uid,
  comm: (record) => record.comm,
  executable: (record) => record.executable,
  ownerSource: (record) => record.ownerSource,
  processStartUnixNs: (record) => record.processStartUnixNs,
  cgroupId: (record) => record.cgroupId,
  netns: (record) => record.netns,
  cookie: (record) => record.cookie,
  bytesBypassed: (record) => record.bytesBypassed,
  mptcp: (record) => record.mptcp,
  mptcpJoined: (record) => record.mptcpJoined,
  mptcpToken: (record) => record.mptcpToken,
  startBootNs: (record) => record.startBootNs,
  bootUnixNs: (record) => {
    const high = BigInt(record.word(RECORD.wall_offset_ns + 4));
    return high << 32n | BigInt(record.word(RECORD.wall_offset_ns) >>> 0);
  },
  initialSequenceNumbers: (record) => record.initialSequenceNumbers,
  attemptSequenceNumber: (record) => record.established ? undefined : record.attemptSequenceNumber,
};

/** Names of what a session's data may have. */
export const MEMBERS: readonly string[] = Object.keys(READERS);

/** What the views of a batch share: whether it was given up. */
export interface Lease {
  isGivenUp: boolean;
}

// the getters are made of READERS, the one list of them
export interface SessionView extends SessionData {}

/** A view on one record, for as long as the lease of its batch lasts. */
export class SessionView implements Session {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #record: Record;
  readonly #lease: Lease;

  static {
    for (const [name, read] of Object.entries(READERS)) {
      Object.defineProperty(this.prototype, name, {
        enumerable: true,
        get(this: SessionView) {
          return read(this.#read(name));
        },
      });
    }
  }

  /** @param bytes of one record */
  constructor(bytes: Uint8Array<ArrayBuffer>, lease: Lease) {
    this.#bytes = bytes;
    this.#record = new Record(bytes);
    this.#lease = lease;
  }

  has(flags: number): boolean {
    return this.#read("has").has(flags);
  }

  toObject(): SessionData {
    return dataOf(this.#read("toObject"));
  }

  toJSON(): SessionJson {
    return jsonOf(dataOf(this.#read("toJSON")));
  }

  /** What console.log shows. */
  [Symbol.for("Deno.customInspect")](
    inspect: typeof Deno.inspect,
    options: Deno.InspectOptions,
  ): string {
    return `Session ${this.#lease.isGivenUp ? "(given up)" : inspect(this.toObject(), options)}`;
  }

  /** The record of `session`. @throws {TypeError} if it is not a view, or its batch was given up */
  static recordOf(session: Session): Record {
    return viewIn(session).#read("anything");
  }

  /** The bytes of that record. @throws as `recordOf` */
  static bytesOf(session: Session): Uint8Array<ArrayBuffer> {
    SessionView.recordOf(session);
    return viewIn(session).#bytes;
  }

  #read(member: string): Record {
    if (!this.#lease.isGivenUp) return this.#record;
    throw new TypeError(
      `cannot read ${member} of a session whose batch was given up, as it is when the next batch ` +
        "is asked for: keep what session.toObject() gives instead",
    );
  }
}

function viewIn(session: Session): SessionView {
  if (session instanceof SessionView) return session;
  throw new TypeError(
    "cannot use what is no session of this tcpspan's: sessionOf() makes one of plain data, such as " +
      "what toObject() gives",
  );
}

/** All that is known of a session, as plain data. */
export function dataOf(record: Record): SessionData {
  const entries = Object.entries(READERS).map((
    [name, read],
  ) => [name, structuredClone(read(record))] // endings are shared by sessions
  );
  const data = Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  // JSON has no bigint, and data that is kept may be written later
  Object.defineProperty(data, "toJSON", { value: () => jsonOf(data) });
  return data;
}

/** Without the sequence numbers of an open session, which would let others write into it. */
function jsonOf(data: SessionData): SessionJson {
  const { initialSequenceNumbers: _1, attemptSequenceNumber: _2, ...rest } = data;
  const entries = Object.entries(data.interim === 0 ? data : rest)
    .map(([name, value]) => [name, typeof value === "bigint" ? String(value) : value]);
  return Object.fromEntries(entries);
}
