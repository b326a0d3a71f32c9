/** Sessions lost at 100,000 ends a second. */
import type { Bench } from "../bench.ts";
import { CPUS } from "../cpus.ts";
import { atMost, type Row } from "../row.ts";
import { sleep } from "../sleep.ts";
import { countRows, otlpConfig, settle, startSpans, startTcplife, type Tracer } from "../tracer.ts";

const RATE = 50_000; // sessions a second, with two ends each
const STALL_MS = 500;

/** The rows about losses, with the tracer's default configuration. */
export async function measureLoss(bench: Bench): Promise<Row[]> {
  const { scale, progress } = bench;
  progress("losses: tcplife");
  const tcplife = await lostByTcplife(bench);
  progress("losses: tcpspan");
  const lost = await lostByTcpspan(bench, () => Promise.resolve());
  progress("losses: tcpspan, its process stopped for a while");
  const stalled = await lostByTcpspan(bench, stall);
  const peer = { of: "tcplife, text", values: [tcplife.lost] };
  const goal = atMost(0, "0");
  return [
    {
      figure: `sessions lost at 100,000 ends/s for ${scale.lossSeconds} s, to OTLP`,
      unit: "",
      peer,
      tcpspan: [lost.lost],
      goal,
      note: describe(lost),
    },
    {
      figure: `the same, the reader stopped for ${STALL_MS} ms`,
      unit: "",
      tcpspan: [stalled.lost],
      goal,
      note: describe(stalled),
    },
  ];
}

/** Session ends made and not delivered. */
interface Losses {
  readonly made: number;
  readonly rate: number;
  readonly lost: number;
  /** What the tracer reported about them. */
  readonly said: string;
}

function describe({ made, rate, said }: Losses): string {
  const words = said === "" ? "" : `; it said: ${said}`;
  return `${made} ends made, ${Math.round(rate)} a second, each looked for by its span id${words}`;
}

async function lostByTcpspan(
  { folder, load, sink, scale }: Bench,
  meanwhile: (tracer: Tracer, seconds: number) => Promise<void>,
): Promise<Losses> {
  await using tracer = await startSpans(folder, otlpConfig(sink.port));
  await sink.reset(load.netns);
  const [churned] = await Promise.all([
    makeEnds(load, scale.lossSeconds),
    meanwhile(tracer, scale.lossSeconds),
  ]);
  await settle(tracer);
  // its last lines; before them it reports what was lost `until now`
  const words = [...(await tracer.stop()).matchAll(/^tcpspan: (lost \d+ sessions?: .*)$/gm)];
  const made = 2 * churned.sessions;
  return {
    made,
    rate: made / churned.seconds,
    lost: made - (await sink.count()).distinct,
    said: words.map(([, text]) => text).join("; "),
  };
}

async function lostByTcplife({ folder, load, scale }: Bench): Promise<Pick<Losses, "lost">> {
  await using tracer = await startTcplife(folder);
  const { sessions } = await makeEnds(load, scale.lossSeconds);
  await settle(tracer);
  await tracer.stop();
  return { lost: 2 * sessions - await countRows(tracer.output) };
}

function makeEnds(load: Bench["load"], seconds: number) {
  return load.churn({
    threads: 2 * CPUS,
    seconds,
    rate: RATE,
    reset: true,
  });
}

/** Stops the process for a while, in the middle of the load. */
async function stall({ pid }: Tracer, seconds: number): Promise<void> {
  await sleep(seconds * 500);
  Deno.kill(pid, "SIGSTOP");
  await sleep(STALL_MS);
  Deno.kill(pid, "SIGCONT");
}
