/** Resident memory under churn, and whether it grows. */
import type { Bench } from "../bench.ts";
import { CPUS } from "../cpus.ts";
import { atMost, type Row } from "../row.ts";
import { sleep } from "../sleep.ts";
import { median } from "../statistics.ts";
import { otlpConfig, startSpans } from "../tracer.ts";
import { residentMb } from "../usage.ts";

const RATE = 25_000; // sessions a second, with two ends each
const STEP_MS = 100;
const FLAT = 1.05; // of what was resident before

/** The rows about memory. */
export async function measureMemory(
  { folder, load, sink, scale, progress }: Bench,
): Promise<Row[]> {
  progress(`memory: ${scale.memoryEnds} session ends`);
  await using tracer = await startSpans(folder, otlpConfig(sink.port));
  const resident: number[] = [];
  let over = false;
  const churn = load.churn({
    threads: 2 * CPUS,
    sessions: scale.memoryEnds / 2,
    rate: RATE,
  }).finally(() => over = true);
  while (!over) {
    resident.push(residentMb(tracer.pid));
    await sleep(STEP_MS);
  }
  const { sessions } = await churn;
  const fifth = Math.floor(resident.length / 5);
  const early = resident.slice(fifth, 2 * fifth); // the first one is the start
  const late = resident.slice(-fifth);
  return [
    {
      figure: "memory under churn, at most",
      unit: "MB",
      tcpspan: [Math.max(...resident)],
      goal: atMost(120, "≤ 120 MB"),
      note: `resident, over ${2 * sessions} session ends to OTLP, ${2 * RATE} a second`,
    },
    {
      figure: "the same, the last fifth of the time beside the second",
      unit: "MB",
      peer: { of: "tcpspan, earlier", values: [median(early)] },
      tcpspan: [median(late)],
      goal: { text: `flat: ≤ ${FLAT}`, met: (_, ratio) => ratio <= FLAT },
    },
  ];
}
