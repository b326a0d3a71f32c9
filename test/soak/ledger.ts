/** What the processes of traffic/ wrote down about their ends: facts.c. */
import { strict as assert } from "node:assert";
import { join } from "node:path";

/** How an end ended, and what came before that. */
export type How =
  | "closed_first"
  | "closed_last"
  | "closed_at_once"
  | "aborted"
  | "reset"
  | "refused"
  | "gave_up"
  | "either"
  | "never_accepted";

/** One end of a session or attempt. Times are CLOCK_BOOTTIME in nanoseconds, 0 if there is none. */
export interface End {
  readonly session: number;
  readonly attempt: number;
  readonly role: "client" | "server";
  /** The plan's name: fin, half_close, … */
  readonly path: string;
  readonly group: string;
  /** 0 if no process ever had the socket. */
  readonly cookie: number;
  readonly localAddress: string;
  /** 0 if it is unknown. */
  readonly localPort: number;
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly family: "ipv4" | "ipv6";
  /** The process that connected, or that used the accepted socket. */
  readonly pid: number;
  readonly comm: string;
  readonly listenerPid: number;
  readonly listenerComm: string;
  /** Whether that process received or sent. */
  readonly used: boolean;
  /** Whether it may have done so first after the end. */
  readonly usedLate: boolean;
  readonly killed: boolean;
  readonly tx: number;
  readonly rx: number;
  readonly unacked: number;
  readonly unread: number;
  readonly how: How;
  readonly after: "nothing" | "own_fin" | "peer_fin";
  readonly openBefore: number;
  readonly openAfter: number;
  /** Around the call that sent the FIN. */
  readonly finBefore: number;
  readonly finAfter: number;
  readonly finSeen: number;
  /** CLOSE came between `endLow` and `endHigh`; 0: the other end knows. */
  readonly endLow: number;
  readonly endHigh: number;
}

/** An end, and the other end of its session. */
export interface JoinedEnd extends End {
  peer?: JoinedEnd;
}

/** All ends of a folder of ledgers. */
export async function readLedgers(folder: string): Promise<JoinedEnd[]> {
  const lines: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".jsonl")) continue;
    const text = await Deno.readTextFile(join(folder, name));
    for (const line of text.split("\n")) if (line !== "") lines.push(line);
  }
  return joinEnds(lines.map((line): End => JSON.parse(line)));
}

/** Finds the other end of each. @throws if an end is there twice */
export function joinEnds(ends: readonly End[]): JoinedEnd[] {
  const joined = ends.map((end): JoinedEnd => ({ ...end }));
  const seen = new Map<string, JoinedEnd>();
  for (const end of joined) {
    const session = `${end.session}/${end.attempt}`;
    assert.ok(!seen.has(`${session} ${end.role}`), `the ledgers have ${session} twice`);
    seen.set(`${session} ${end.role}`, end);
    const peer = seen.get(`${session} ${end.role === "client" ? "server" : "client"}`);
    if (peer === undefined) continue;
    end.peer = peer;
    peer.peer = end;
  }
  return joined;
}
