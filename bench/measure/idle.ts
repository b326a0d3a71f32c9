/** What a tracer uses while nothing ends. */
import type { Bench } from "../bench.ts";
import { atMost, type Row } from "../row.ts";
import { sleep } from "../sleep.ts";
import { startSpans, startTcplife, type Tracer } from "../tracer.ts";
import { cpuNs, residentMb, waits, wakeUps } from "../usage.ts";

const SOCKETS = 10_000;
const MESSAGES = 10; // a second
const WARM_MS = 2000;

interface Idle {
  readonly percent: number;
  readonly wakeUps: number;
  readonly mib: number;
  /** Unrelated session ends that were printed meanwhile. */
  readonly disturbed: number;
}

/** The rows about idleness: many sockets open, little traffic. */
export async function measureIdle(bench: Bench): Promise<Row[]> {
  const { folder, load, scale, progress } = bench;
  await using _held = await load.hold(SOCKETS, MESSAGES);
  progress("idle: tcplife");
  const tcplife = await observe(() => startTcplife(folder), scale.idleSeconds);
  progress("idle: tcpspan");
  const tcpspan = await observe(() => startSpans(folder), scale.idleSeconds);
  const peer = (value: number) => ({ of: "tcplife", values: [value] });
  return [
    {
      figure: "idle CPU, of one core",
      unit: "%",
      peer: peer(tcplife.percent),
      tcpspan: [tcpspan.percent],
      goal: { text: "< 0.2 %", met: (value) => value < 0.2 },
      note: `${scale.idleSeconds} s with ${SOCKETS} sockets open and ${MESSAGES} bytes sent a ` +
        `second; ${tcpspan.disturbed} sessions of others ended meanwhile`,
    },
    {
      figure: "idle wake-ups, all threads",
      unit: "/s",
      peer: peer(tcplife.wakeUps),
      tcpspan: [tcpspan.wakeUps],
      goal: atMost(10, "≤ 10"),
    },
    {
      figure: "idle memory",
      unit: "MB",
      peer: peer(tcplife.mib),
      tcpspan: [tcpspan.mib],
      goal: atMost(80, "≤ 80 MB"),
    },
  ];
}

async function observe(start: () => Promise<Tracer>, seconds: number): Promise<Idle> {
  await using tracer = await start();
  const { pid } = tracer;
  await sleep(WARM_MS);
  const printed = await countLines(tracer.output);
  const [cpu, threads, began] = [cpuNs(pid), waits(pid), performance.now()];
  await sleep(seconds * 1000);
  const took = (performance.now() - began) / 1000;
  return {
    percent: (cpuNs(pid) - cpu) / 1e9 / took * 100,
    wakeUps: wakeUps(threads, waits(pid)) / took,
    mib: residentMb(pid),
    disturbed: await countLines(tracer.output) - printed,
  };
}

async function countLines(path: string): Promise<number> {
  return (await Deno.readTextFile(path)).split("\n").length;
}
