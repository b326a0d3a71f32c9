/** What a case is, and what it says of each end of its sessions. */
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
  /** Whether it would disturb others: it is played after them, and nothing beside it. */
  readonly alone?: boolean;
  /** Makes sessions that are to be open when the tracers start. */
  readonly before?: (stage: Stage) => Promise<unknown>;
  /** What tcpspan cannot tell yet: fields that may be wrong, and why. docs/truth.md shows them. */
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

/** A number that is known, or its bounds, both included. */
export type Amount = number | readonly [low: number, high: number];

/** What a process's cgroup says of it; the rest is that it has none. */
export interface CgroupTruth {
  /** service.name, where it is not the executable's. */
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
  /** Whether it may be missing, because the kernel does not tell. */
  readonly optional?: boolean;
}

/** All that is known of one end of a session or attempt. `End.ended()` fills in most of it. */
export interface ExpectedEnd {
  /** How the case calls it: "client", "second server". */
  readonly what: string;
  readonly role: "client" | "server" | "unknown";
  readonly family: "ipv4" | "ipv6";
  readonly local: Endpoint;
  readonly peer: Endpoint;
  /** Inode of the network namespace. */
  readonly netns: number;
  /** Undefined where nobody can ask: a socket that was never accepted. */
  readonly cookie: bigint | undefined;
  readonly startObserved: boolean;

  /** Its `exe` is empty where nobody can know it any more. */
  readonly owner: ProcessTruth | "none";
  /** The kernel's name of the thread that acted. */
  readonly thread: string;
  /** Several, where it depends on what the kernel tells first. */
  readonly ownerSource: OwnerSource | readonly OwnerSource[];
  /** Whether the process may be gone when its first session is read, and with it what /proc knows. */
  readonly ownerMayBeGone: boolean;
  /** That of the tests by default. */
  readonly cgroup?: CgroupTruth;

  readonly txBytes: Amount;
  readonly rxBytes: Amount;
  readonly unackedBytes: Amount;
  /** "maybe" before the number: absent as well, where the process could still have read it. */
  readonly unreadBytes: Amount | { readonly maybe: number };
  readonly txSegments: Amount;
  readonly rxSegments: Amount;
  readonly retransmits: Amount;
  /** Bounds in microseconds, undefined where there is no sample. */
  readonly rttUs: Amount | undefined;
  readonly handshakeUs: Amount | undefined;

  readonly lastState: string;
  readonly closeBy: "local" | "peer" | "kernel";
  readonly closeReason: string;
  /** error.type, on failure alone. */
  readonly error: string | undefined;

  readonly start: Window;
  /** Undefined where it never was, or before the tracer. */
  readonly established: Window | undefined;
  readonly end: Window;
  /** How far somebody had set the wall clock ahead when it ended; all times of a span are by that. */
  readonly clockAheadNs?: bigint;
  readonly events: readonly ExpectedEvent[];

  /** The same for both ends of one session; undefined for what is in a trace of its own. */
  readonly session: string | undefined;
  /**
   * Whether the span is below its client's: `unseen` if that is in another trace, `maybe` if the
   * client's address can be gone from the host when the span is made.
   */
  readonly parent: "client" | "maybe" | "unseen" | "none";
  /** Whether a server's socket goes on after its client's is gone, which FIN_WAIT2 leaves early. */
  readonly outlivesClient: boolean;
}
