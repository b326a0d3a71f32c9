/** How long a start takes when all that it loads is in the machine's cache. */
import { numberOf, readSpans, textOf, unixNs } from "../../test/soak/spans.ts";
import type { Bench } from "../bench.ts";
import { atMost, type Row } from "../row.ts";
import { sleep } from "../sleep.ts";
import { startSpans } from "../tracer.ts";

const RATE = 2000; // sessions a second: the next one is at most half a millisecond away
const LOAD_SECONDS = 2;
const JSON_CONFIG = "exporters: { stdout: { format: json } }";

/** The rows about the start. */
export async function measureStart(bench: Bench): Promise<Row[]> {
  const { scale, progress } = bench;
  const tracing: number[] = [];
  const captured: number[] = [];
  await startTable(bench); // fills the caches
  for (let i = 1; i <= scale.starts; i++) {
    progress(`start, ${i} of ${scale.starts}`);
    tracing.push(await startTable(bench));
    captured.push(await firstSession(bench));
  }
  return [
    {
      figure: "start to the line `tcpspan: tracing`, a table",
      unit: "ms",
      tcpspan: tracing,
    },
    {
      figure: "start to the end of the first session captured, JSON",
      unit: "ms",
      tcpspan: captured,
      goal: atMost(500, "≤ 500 ms"),
      note: "the sessions' own ends, not when they were printed; deno's start is in it",
    },
  ];
}

async function startTable({ folder }: Bench): Promise<number> {
  await using tracer = await startSpans(folder);
  return tracer.startMs;
}

async function firstSession({ folder, load }: Bench): Promise<number> {
  const churn = load.churn({ threads: 1, seconds: LOAD_SECONDS, rate: RATE });
  await sleep(200); // until there are sessions
  const began = Date.now();
  await using tracer = await startSpans(folder, JSON_CONFIG);
  await churn;
  await tracer.stop();
  let first = Infinity;
  for await (const span of readSpans(tracer.output)) {
    if (numberOf(span, "tcpspan.netns") !== load.netns) continue;
    first = Math.min(first, Number(unixNs(textOf(span, "end")) / 1000n) / 1000);
  }
  return first - began;
}
