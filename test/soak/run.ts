/** One soak: the traffic, the tracer, the verdict. */
import { join } from "node:path";
import { wallOffsetNs } from "../../ffi/clock.ts";
import { PortRange } from "../../src/host/client_ports.ts";
import { startTcpspan } from "../e2e/tcpspan.ts";
import { Namespace, run } from "../kernel/host.ts";
import { TextLineStream } from "../lines.ts";
import { makeTempFolder } from "../temp_folder.ts";
import { buildTraffic, TRAFFIC } from "./build.ts";
import { Judge, type Verdict } from "./judge.ts";
import { readLedgers } from "./ledger.ts";
import { type Losses, readLosses } from "./losses.ts";
import { readSpans } from "./spans.ts";

/** Options of a soak. */
export interface SoakOptions {
  /** Decides what happens in each session. */
  readonly seed: bigint;
  readonly seconds: number;
  /** Sessions a second. */
  readonly rate: number;
  /** Whether packets arrive on other CPUs, so that the kernel skips runs of the program. */
  readonly steer?: boolean;
  /** Called every second with the number of sessions that have started. */
  readonly progress?: (sessions: number) => void;
}

/** The verdict, and the other results of a run. */
export interface SoakResult extends Verdict {
  readonly sessions: number;
  readonly seconds: number;
  /** Losses as the tracer reports them. */
  readonly losses: Losses;
  /** Whether packets arrived on other CPUs. */
  readonly steered: boolean;
}

const MOST_LOST = 0.02; // of all ends
const MOST_WRONG_STEERED = 0.01; // fields, for each end
// A virtual CPU may pause between what a process sees and what the program does.
const MOST_LATE = 3; // times
const CLIENTS = 4;
const THREADS = 12;
const FORKERS = 16;
const MOST_SESSIONS = 5_000_000;
/** Neighbours with a hardware address that nobody has: a SYN to them is never answered. */
const HOLE = { ipv4: "198.19.255.1", ipv6: "fd74:6370:ffff::1" };
const NOBODY = "02:00:00:00:00:01";

/** Makes the traffic in its own network namespace, and judges what the tracer says about it. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  await using folder = await makeTempFolder();
  const program = await buildTraffic(folder.path);
  await using namespace = await Namespace.make();
  await prepare(namespace);
  const steered = options.steer ?? false;
  if (steered) await namespace.steerLoopback();
  const spans = join(folder.path, "spans");
  await using tracer = await startTcpspan([], {
    config: "exporters: { stdout: { format: json } }",
    inside: ["sh", "-c", `exec "$@" >'${spans}'`, "sh"],
  });
  const began = performance.now();
  const sessions = await makeTraffic(program, folder.path, namespace, options);
  const seconds = (performance.now() - began) / 1000;
  await new Promise((resolve) => setTimeout(resolve, 1000)); // the last acknowledgements
  const { status, stderr } = await tracer.stop("SIGINT");

  const ephemeral = PortRange.ephemeral();
  const judge = new Judge(await readLedgers(folder.path), {
    wallOffsetNs: wallOffsetNs(),
    netns: Deno.statSync(`/run/netns/${namespace.name}`).ino ?? 0,
    isEphemeral: (port) => ephemeral.has(port),
    executable: TRAFFIC,
  });
  for await (const span of readSpans(spans)) judge.take(span);
  const losses = readLosses(stderr.split("\n").filter((line) => line !== "").slice(1));
  const ended = status === 0 ? [] : [`tcpspan ended with status ${status}`];
  const warnings = [...losses.warnings, ...ended];
  return { ...judge.finish(), sessions, seconds, losses: { ...losses, warnings }, steered };
}

/**
 * What is wrong with a run; empty if nothing is. An end without a span must have been counted, as
 * one for which the kernel ran no program: some virtual machines run none on top of their own
 * supervisor. Those are few. If the program misses a state change, a time or an owner is
 * missing or late: few fields may be wrong, more if packets arrive on other CPUs.
 */
export function objections(result: SoakResult): string[] {
  const { ends, missing, faultCount, lateCount, losses, steered } = result;
  const found = losses.warnings.map((warning) => `tcpspan said: ${warning}`);
  const tolerable = steered ? ends * MOST_WRONG_STEERED : losses.skippedRuns;
  if (faultCount - Math.min(lateCount, MOST_LATE) > tolerable) found.push(`${faultCount} faults`);
  const counted = losses.unseen + losses.other;
  if (missing.length !== counted) found.push(`${missing.length} ends missing, ${counted} counted`);
  if (missing.length > ends * MOST_LOST) found.push(`${missing.length} of ${ends} ends missing`);
  if (steered && losses.skippedRuns === 0) found.push("no run was skipped: nothing was steered");
  return found;
}

/** Sets up loopback, a neighbour that does not answer, and room for sessions in TIME_WAIT. */
async function prepare({ name, under }: Namespace): Promise<void> {
  const ip = (...words: readonly string[]) => run("ip", "-n", name, ...words);
  await ip("link", "set", "lo", "up");
  for (const [address, bits] of [[HOLE.ipv4, 32], [HOLE.ipv6, 128]] as const) {
    await ip("route", "add", `${address}/${bits}`, "dev", "eth0");
    await ip("neigh", "add", address, "lladdr", NOBODY, "dev", "eth0", "nud", "permanent");
  }
  const [command = "", ...words] = under;
  for (
    const [key, value] of [
      ["ip_local_port_range", "10000 65000"],
      ["tcp_max_tw_buckets", "2000000"],
    ]
  ) {
    await run(command, ...words, "sh", "-c", `echo ${value} >/proc/sys/net/ipv4/${key}`);
  }
}

/** @returns the number of sessions */
async function makeTraffic(
  program: string,
  folder: string,
  { under, there }: Namespace,
  { seed, seconds, rate, progress }: SoakOptions,
): Promise<number> {
  const [command = "", ...words] = under;
  const settings = [seed, seconds, MOST_SESSIONS, rate, CLIENTS, THREADS, FORKERS].map(String);
  const args = [...words, program, ...settings, folder];
  args.push(there.ipv4, there.ipv6, HOLE.ipv4, HOLE.ipv6);
  const child = new Deno.Command(command, { args, stdin: "null", stdout: "piped" }).spawn();
  let sessions = 0;
  for await (const line of child.stdout.pipeThrough(new TextLineStream())) {
    if (line === "") continue;
    sessions = Number(line);
    progress?.(sessions);
  }
  const { code } = await child.status;
  if (code !== 0) throw new Error(`the traffic of seed ${seed} failed with status ${code}`);
  return sessions;
}
