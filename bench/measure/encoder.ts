/** How fast sessions become OTLP requests, compared with the SDK's serializer. */
import type { Bench } from "../bench.ts";
import { type Goal, ratioAtLeast, type Row } from "../row.ts";

/** A separate program, because it needs neither root nor a kernel. */
const MODULE = new URL("../encoder.ts", import.meta.url);

const FIGURE = "encoder, spans on one core";
const OWN = "own: records to request";
const GOAL = ratioAtLeast(10, "≥ 10x the SDK's serializer");
/** What tcpspan's encoder is compared with; only the first one does less. */
const PEERS: readonly { figure: string; of: string; goal?: Goal }[] = [
  { figure: "official: serialize spans", of: "SDK: serialize", goal: GOAL },
  { figure: "official: build spans, serialize", of: "SDK: build, serialize" },
];

/** The part of bench/encoder.ts's exports that is used here. */
interface EncoderBench {
  /** Measures each kind of sessions in turn. */
  measureEncoder(): Iterable<{
    readonly sessions: string;
    readonly attributesPerSpan: number;
    readonly figures: readonly { readonly name: string; readonly nsPerItem: number }[];
  }>;
}

/** The rows about encoding; one without figures if its bench is missing. */
export async function measureEncoders({ progress }: Bench): Promise<Row[]> {
  progress("encoder");
  const bench = await encoderBench();
  if (bench === undefined) return [{ figure: FIGURE, unit: "/s", tcpspan: [], goal: GOAL }];
  return Array.from(bench.measureEncoder()).flatMap(({ sessions, attributesPerSpan, figures }) => {
    const rate = (name: string) =>
      figures.filter((figure) => figure.name === name).map(({ nsPerItem }) => 1e9 / nsPerItem);
    return PEERS.map(({ figure, of, goal }) => ({
      figure: `${FIGURE}: ${sessions}`,
      unit: "/s",
      peer: { of, values: rate(figure) },
      tcpspan: rate(OWN),
      ...(goal === undefined ? {} : { goal }),
      note: `${attributesPerSpan.toFixed(1)} attributes a span; ours starts from records`,
    }));
  });
}

async function encoderBench(): Promise<EncoderBench | undefined> {
  try {
    await Deno.stat(MODULE);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  return await import(MODULE.href);
}
