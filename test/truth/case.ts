/** What a case is, and what it says about each end of its sessions. */
import type { ProcessTruth } from "../kernel/actor.ts";
import type { Stage } from "./stage.ts";
import type { Window } from "./window.ts";

/** Sessions to make, and the truth about them; or why this kernel cannot make them. */
export type Case = PossibleCase | ImpossibleCase;

/** What cases are about. */
export type Section = "owner" | "existing" | "bytes" | "ends" | "times" | "places";

interface AnyCase {
  /** What it shows: "the client's FIN comes first". */
  readonly name: string;
  readonly section: Section;
}

/** A case that can be played. */
export interface PossibleCase extends AnyCase {
  /** Whether it would disturb others: then it is played after them, and alone. */
  readonly alone?: boolean;
  /** Makes sessions that must be open when the tracers start. */
  readonly before?: (stage: Stage) => Promise<unknown>;
  /** What tcpspan cannot know yet: fields that may be wrong, and why; docs/truth.md has them. */
  readonly known?: { readonly fields: readonly string[]; readonly why: string };
  /** Makes sessions and ends them all. @returns each end that must be reported, and no other */
  readonly act: (stage: Stage) => Promise<ExpectedEnd[]>;
}

/** A case that cannot be played, for docs/truth.md. */
export interface ImpossibleCase extends AnyCase {
  /** The reason. */
  readonly impossible: string;
}

/** One address and port. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** A known number, or its bounds, both inclusive. */
export type Amount = number | readonly [low: number, high: number];

/** What a process's cgroup says about it; nothing beyond these fields. */
export interface CgroupTruth {
  /** service.name, if it is not the executable's name. */
  readonly service?: string;
  readonly container?: string;
  readonly pod?: string;
}

/** tcpspan.owner.source. */
export type OwnerSource = "connect" | "recv" | "close" | "fd_table" | "listen" | "unknown";

/** An event of the span. */
export interface ExpectedEvent {
  readonly name: string;
  readonly within: Window;
  /** Whether it may be missing, because the kernel does not show it. */
  readonly optional?: boolean;
}

/** All that is known about one end of a session or attempt. `End.ended()` fills in most of it. */
export interface ExpectedEnd {
  /** The case's name for it: "client", "second server". */
  readonly what: string;
  readonly role: "client" | "server" | "unknown";
  readonly family: "ipv4" | "ipv6";
  readonly local: Endpoint;
  readonly peer: Endpoint;
  /** Inode of the network namespace. */
  readonly netns: number;
  /** Undefined if nobody can ask for it: a socket that was never accepted. */
  readonly cookie: bigint | undefined;
  readonly startObserved: boolean;

  /** Its `exe` is empty if nobody can know it any more. */
  readonly owner: ProcessTruth | "none";
  /** The kernel's name of the thread that acted. */
  readonly thread: string;
  /** Several, if it depends on what the kernel reports first. */
  readonly ownerSource: OwnerSource | readonly OwnerSource[];
  /** Whether the process, and what /proc knows, may be gone when its first session is read. */
  readonly ownerMayBeGone: boolean;
  /** The cgroup of the tests by default. */
  readonly cgroup?: CgroupTruth;

  readonly txBytes: Amount;
  readonly rxBytes: Amount;
  readonly unackedBytes: Amount;
  /** With `maybe` it may be absent, because the process could still have read it. */
  readonly unreadBytes: Amount | { readonly maybe: number };
  readonly txSegments: Amount;
  readonly rxSegments: Amount;
  readonly retransmits: Amount;
  /** Bounds in microseconds, undefined if there is no sample. */
  readonly rttUs: Amount | undefined;
  readonly handshakeUs: Amount | undefined;

  readonly lastState: string;
  readonly closeBy: "local" | "peer" | "kernel";
  readonly closeReason: string;
  /** error.type, only on failure. */
  readonly error: string | undefined;

  readonly start: Window;
  /** Undefined if it never was, or before the tracer started. */
  readonly established: Window | undefined;
  readonly end: Window;
  /** How far the wall clock was ahead when it ended; all times of its span use that clock. */
  readonly clockAheadNs?: bigint;
  readonly events: readonly ExpectedEvent[];

  /** The same for both ends of one session; undefined for an end in its own trace. */
  readonly session: string | undefined;
  /**
   * Whether the span is its client's child: `unseen` if that is in another trace, `maybe` if the
   * client's address can be gone from the host when the span is made.
   */
  readonly parent: "client" | "maybe" | "unseen" | "none";
  /** Whether a server's socket outlives its client's, which leaves FIN_WAIT2 early. */
  readonly outlivesClient: boolean;
  /** Whether it is a subflow of Multipath TCP, and which. */
  readonly mptcp?: "first" | "joined";
}
