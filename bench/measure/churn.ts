/** Short sessions: what one costs, and how many a second remain. Tracers take turns in rounds. */
import type { Bench } from "../bench.ts";
import { enableBpfStats } from "../bpf_stats.ts";
import { CPUS, LOAD_CPU } from "../cpus.ts";
import { ratioAtLeast, ratioAtMost, type Row } from "../row.ts";
import { countRows, otlpConfig, settle, startSpans, startTcplife, type Tracer } from "../tracer.ts";
import { usage } from "../usage.ts";

/** The load that costs are measured with: well below what any tracer can handle. */
const COST_RATE = 10_000;
const US = 1000; // nanoseconds

/** One round of one tracer. */
interface Round {
  /** Sessions a second, one after another, client and server on one core. */
  readonly rate: number;
  /** Sessions a second with as many clients as cores, the receiver's CPU time counted out. */
  readonly fullRate: number;
  /** CPU time of the kernel programs for each session end, in µs. */
  readonly kernelUs: number;
  /** CPU time of the tracer itself for each session end that it delivered, in µs. */
  readonly userUs: number;
}

const KINDS = ["none", "tcplife", "table", "otlp"] as const;
type Kind = typeof KINDS[number];

/** The rows about the cost of sessions. */
export async function measureChurn(bench: Bench): Promise<Row[]> {
  const rounds: Record<Kind, Round[]> = { none: [], tcplife: [], table: [], otlp: [] };
  for (let i = 1; i <= bench.scale.rounds; i++) {
    for (const kind of KINDS) {
      bench.progress(`churn, round ${i} of ${bench.scale.rounds}: ${kind}`);
      rounds[kind].push(await measureRound(bench, kind));
    }
  }
  return rows((kind, figure) => rounds[kind].map(figure));
}

type Values = (kind: Kind, figure: (round: Round) => number) => number[];

function rows(values: Values): Row[] {
  const cost = ({ kernelUs, userUs }: Round) => kernelUs + userUs;
  const peer = (of: Kind, figure: (round: Round) => number) => ({ of, values: values(of, figure) });
  return [
    {
      figure: "kernel CPU per ended session",
      unit: "µs",
      peer: peer("tcplife", (round) => round.kernelUs),
      tcpspan: values("otlp", (round) => round.kernelUs),
      goal: ratioAtMost(1 / 8, "≤ 1/8 of tcplife"),
      note: `${2 * COST_RATE} session ends a second; what the programs took ` +
        "(bpf_prog_info.run_time_ns), not the way to them",
    },
    {
      figure: "CPU per session, kernel + user, to OTLP",
      unit: "µs",
      peer: { ...peer("tcplife", cost), of: "tcplife, text" },
      tcpspan: values("otlp", cost),
      goal: ratioAtMost(1 / 4, "≤ 1/4 of tcplife"),
    },
    {
      figure: "CPU per session, kernel + user, a table to a file",
      unit: "µs",
      peer: { ...peer("tcplife", cost), of: "tcplife, text" },
      tcpspan: values("table", cost),
    },
    {
      figure: "churn left, one core busy, to OTLP",
      unit: "/s",
      peer: peer("none", ({ rate }) => rate),
      tcpspan: values("otlp", ({ rate }) => rate),
      goal: ratioAtLeast(0.95, "≥ 95 % of none"),
      note:
        "one client, one server, one session after another, both on one core, so that it never " +
        "sleeps: waking it would take longer than tracing; the receiver is kept off that core",
    },
    {
      figure: "the same, with tcplife in tcpspan's place",
      unit: "/s",
      peer: peer("none", ({ rate }) => rate),
      tcpspan: values("tcplife", ({ rate }) => rate),
    },
    {
      figure: "churn left, all cores busy, to OTLP",
      unit: "/s",
      peer: peer("none", ({ fullRate }) => fullRate),
      tcpspan: values("otlp", ({ fullRate }) => fullRate),
      note: "as many clients as cores, far beyond the workloads that goals are about; " +
        "the receiver's CPU time is counted out",
    },
    {
      figure: "the same, with tcplife in tcpspan's place",
      unit: "/s",
      peer: peer("none", ({ fullRate }) => fullRate),
      tcpspan: values("tcplife", ({ fullRate }) => fullRate),
    },
  ];
}

async function measureRound(bench: Bench, kind: Kind): Promise<Round> {
  const { load, sink, scale } = bench;
  const seconds = scale.churnSeconds;
  await using tracer = await start(bench, kind);
  const single = await load.churn({ threads: 1, seconds, cpu: LOAD_CPU });
  const cost = tracer === undefined ? { kernelUs: 0, userUs: 0 } : await measureCost(bench, tracer);
  const before = await sink.count();
  const full = await load.churn({ threads: CPUS, seconds });
  const receiver = (await sink.count()).cpuSeconds - before.cpuSeconds;
  return {
    ...cost,
    rate: single.sessions / single.seconds,
    fullRate: full.sessions / (full.seconds - receiver / CPUS),
  };
}

function start({ folder, sink }: Bench, kind: Kind): Promise<Tracer> | undefined {
  switch (kind) {
    case "none":
      return undefined;
    case "tcplife":
      return startTcplife(folder);
    case "table":
      return startSpans(folder);
    case "otlp":
      return startSpans(folder, otlpConfig(sink.port));
  }
}

async function measureCost({ load, sink, scale }: Bench, tracer: Tracer) {
  await settle(tracer);
  const rows = await countRows(tracer.output);
  await sink.reset(load.netns);
  using _stats = enableBpfStats();
  const before = usage(tracer.pid);
  const { sessions } = await load.churn({
    threads: CPUS,
    seconds: scale.churnSeconds,
    rate: COST_RATE,
  });
  await settle(tracer);
  const after = usage(tracer.pid);
  // what a tracer holds back in its buffer is less than a hundredth
  const delivered = (await sink.count()).distinct + await countRows(tracer.output) - rows;
  return {
    kernelUs: (after.kernelNs - before.kernelNs) / US / (2 * sessions),
    userUs: (after.cpuNs - before.cpuNs) / US / delivered,
  };
}
