/** A connection at full speed: the tracer must not slow it down. */
import type { Bench } from "../bench.ts";
import { ratioAtLeast, type Row } from "../row.ts";
import { spread } from "../statistics.ts";
import { otlpConfig, startSpans } from "../tracer.ts";

const GB = 1e9;

/** The row about throughput. */
export async function measureBulk(bench: Bench): Promise<Row[]> {
  const { folder, load, sink, scale } = bench;
  const none: number[] = [];
  const traced: number[] = [];
  for (let i = 1; i <= scale.rounds; i++) {
    bench.progress(`bulk, round ${i} of ${scale.rounds}`);
    none.push(await load.bulk(scale.bulkSeconds) / GB);
    await using _tracer = await startSpans(folder, otlpConfig(sink.port));
    traced.push(await load.bulk(scale.bulkSeconds) / GB);
  }
  const noise = spread(none);
  return [{
    figure: "bulk throughput, one connection",
    unit: "GB/s",
    peer: { of: "none", values: none },
    tcpspan: traced,
    goal: ratioAtLeast(1 - noise, `within noise: ≥ ${(1 - noise).toFixed(2)}`),
    note: "noise is the spread of the rounds without a tracer",
  }];
}
