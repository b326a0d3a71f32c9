/** The options of a capture. */
import type { SamplingOptions } from "../ids/sampling.ts";

/** Bytes of the ring if `ringBuffer` is not given. */
export const DEFAULT_RING_BUFFER = 16 * 2 ** 20;

/** Whether a ring can have as many bytes: positions in it are masked, and it is mapped by pages. */
export function isRingSize(bytes: number): boolean {
  return bytes >= 2 ** 18 && bytes <= 2 ** 30 && Number.isInteger(Math.log2(bytes));
}

/** The least `interim`, in milliseconds. */
export const SHORTEST_INTERIM_MS = 100;

/** What to capture. An empty list lets everything through. */
export interface CaptureOptions {
  /** Process ids of owners, in this process's pid namespace; at most 64. */
  readonly pids?: readonly number[];
  /** Ports of the end whose record a session is. */
  readonly localPorts?: readonly number[];
  /** Ports of the other end. */
  readonly remotePorts?: readonly number[];
  /** Address families; an IPv4 peer of a dual-stack socket is `ipv4`. */
  readonly families?: readonly ("ipv4" | "ipv6")[];
  /** Networks of peers to capture. */
  readonly includeCidrs?: readonly string[];
  /** Networks of peers to leave out, also of those included. */
  readonly excludeCidrs?: readonly string[];
  /** Names of executables whose sessions are left out; for a script, the interpreter's. */
  readonly excludeExecutables?: readonly string[];
  /** Paths of cgroups (v2) whose processes' sessions are left out, and of those below them. */
  readonly excludeCgroups?: readonly string[];
  /** Least payload, both ways together, of sessions to capture. */
  readonly minBytes?: number;
  /** Least duration of sessions to capture, in milliseconds. */
  readonly minDuration?: number;
  /** Most records that are captured in a second; 0, the default, for any number. */
  readonly maxSessionsPerSecond?: number;
  /** Which of the sessions that pass all other options are captured; undefined: all. */
  readonly sampling?: SamplingOptions | undefined;
  /** Ring buffer in bytes: a power of two, a multiple of the page size. Default 16 MiB. */
  readonly ringBuffer?: number;
  /** Whether to report sessions that were open before the start. Default true. */
  readonly existing?: boolean;
  /** Milliseconds after which an open session is reported, again and again; undefined: never. */
  readonly interim?: number | undefined;
  /** Whether to report the sessions that are still open when the capture stops. Default false. */
  readonly reportOpenOnExit?: boolean;
  /** Whether to report this process's own sessions, at both ends on this host. Default true. */
  readonly ownTraffic?: boolean;
  /**
   * A folder in a BPF file system, in which programs, maps and ring stay when the capture ends:
   * sessions that end meanwhile are delivered by the next capture with this folder.
   */
  readonly pin?: string | undefined;
  /** Ends the capture: what is in the ring is still delivered. */
  readonly signal?: AbortSignal;
}
