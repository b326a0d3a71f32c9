/** What a guest reports, as lines of JSON. */

/** How a command ended, and what it wrote. */
export interface Ended {
  readonly code: number;
  readonly text: string;
}

/** tcpspan does not start here. */
export interface Refusal {
  readonly kind: "refusal";
  /** The message of its error. */
  readonly ofCapture: string;
  readonly ofCommand: Ended;
  readonly ofDoctor: Ended;
}

/** The kernel's settings. */
export interface Host {
  /** net.core.bpf_jit_enable */
  readonly jit: string;
  /** As in /sys/kernel/security/lockdown. */
  readonly lockdown: string;
  readonly cpus: number;
}

/** One line of the report. */
export type Result =
  | {
    readonly kind: "host";
    readonly release: string;
    readonly host: Host;
    readonly checks: number;
  }
  | Refusal
  | {
    readonly kind: "check";
    readonly name: string;
    readonly seconds: number;
    /** Why it failed. */
    readonly fault?: string;
    /** What this host lacks for the check. */
    readonly lacks?: string;
  }
  /** A part that tcpspan went without, with some options or with all. */
  | { readonly kind: "omission"; readonly part: string; readonly reason: string }
  /** A warning of the kernel's own, in its log. */
  | { readonly kind: "warning"; readonly text: string }
  /** Skipped runs of programs in this number of sessions, with RPS on. */
  | { readonly kind: "skipped"; readonly runs: number; readonly sessions: number }
  | { readonly kind: "end" };

const MARK = "tcpspan-result ";

/** The line for a result. */
export function lineOf(result: Result): string {
  return MARK + JSON.stringify(result);
}

/** The result in a line; undefined for a message of the kernel. */
export function resultIn(line: string): Result | undefined {
  const at = line.indexOf(MARK); // the kernel may have started the line
  return at === -1 ? undefined : JSON.parse(line.slice(at + MARK.length));
}
