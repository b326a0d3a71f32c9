/**
 * What it takes to turn records into OTLP requests: `deno task bench:micro`. The own encoder beside
 * the official serializer, on one core and the same sessions in turn; a figure is the median of
 * the rounds.
 */
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { TraceRequestEncoder } from "../exporters/otlp/protobuf/request.ts";
import type { SessionBatch } from "../src/batch.ts";
import { IdHasher } from "../src/ids.ts";
import { ParentRule } from "../src/parent.ts";
import { PortRange } from "../src/port_range.ts";
import { ProcessResources } from "../src/resource.ts";
import { SpanMapper } from "../src/span.ts";
import { encoderBatches } from "./encoder_sessions.ts";

/** One way to do the work, and what it took. */
export interface EncoderFigure {
  readonly name: string;
  /** Nanoseconds for each session, the median of the rounds. */
  readonly nsPerSpan: number;
}

/** The figures for one kind of sessions; the first is what others are compared with. */
export interface EncoderReport {
  readonly sessions: string;
  readonly bytesPerSpan: number;
  readonly attributesPerSpan: number;
  readonly figures: readonly EncoderFigure[];
}

const SDK_BATCH = 512; // spans that the SDK's processor hands over at once, which suits its serializer
const ROUNDS = 15;
const WARM_UP_MS = 1500;
const LEAST_MS = 30; // of a round

/** Measures each kind of sessions, a few seconds each. */
export function* measureEncoder(): Generator<EncoderReport, void, void> {
  for (const [sessions, batch] of Object.entries(encoderBatches())) {
    yield report(sessions, batch);
  }
}

function report(sessions: string, batch: SessionBatch): EncoderReport {
  const mapper = new SpanMapper(
    new IdHasher(""),
    new ProcessResources({ attributes: {}, commandLine: false, fromProcessEnv: false }),
    new ParentRule({ parent: "auto", peers: [] }),
    new PortRange(32768, 60999),
  );
  mapper.observe(batch);
  const encoder = new TraceRequestEncoder(mapper);
  const ids = new IdHasher("");
  const session = batch.at(0);
  const parts = Array.from(
    { length: Math.ceil(batch.length / SDK_BATCH) },
    (_, i) => batch.slice(i * SDK_BATCH, Math.min((i + 1) * SDK_BATCH, batch.length)),
  );
  const build = (part: SessionBatch) => Array.from(part, (session) => mapper.toSpan(session));
  const built = parts.map(build);
  const spans = built.flat();
  const ways: Readonly<Record<string, () => void>> = {
    "official: build spans, serialize": () => parts.forEach((part) => official(build(part))),
    "official: serialize spans": () => built.forEach(official),
    "own: records to request": () => encoder.recycle(encoder.encode(batch)),
    "  of which ids (SipHash)": () => {
      for (let i = 0; i < batch.length; i++) ids.identify(session.moveTo(i));
    },
    "  of which resources": () => {
      for (let i = 0; i < batch.length; i++) mapper.resourceOf(session.moveTo(i));
    },
    "observe addresses": () => mapper.observe(batch),
    "copy records": () => void batch.bytes.slice(),
  };
  const attributes = spans.reduce((sum, span) => sum + Object.keys(span.attributes).length, 0);
  return {
    sessions,
    bytesPerSpan: encoder.encode(batch).length / batch.length,
    attributesPerSpan: attributes / batch.length,
    figures: measure(ways).map(([name, ms]) => ({ name, nsPerSpan: ms * 1e6 / batch.length })),
  };
}

function official(spans: ReadableSpan[]): void {
  if (ProtobufTraceSerializer.serializeRequest(spans) === undefined) {
    throw new TypeError("cannot measure: the serializer gave nothing");
  }
}

/** Milliseconds of each way, taken in turn so that what disturbs one disturbs all. */
function measure(ways: Readonly<Record<string, () => void>>): [name: string, ms: number][] {
  const entries = Object.entries(ways);
  const counts = entries.map(([, run]) => {
    const { ms } = repeat(run, (ms) => ms >= WARM_UP_MS / entries.length);
    return Math.max(1, Math.ceil(LEAST_MS / ms));
  });
  const rounds = entries.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, [, run]] of entries.entries()) {
      const count = counts[i] ?? 1;
      rounds[i]?.push(repeat(run, (_, done) => done >= count).ms);
    }
  }
  return entries.map(([name], i) => [name, median(rounds[i] ?? [])]);
}

/** @returns milliseconds of one run, on average */
function repeat(run: () => void, enough: (ms: number, done: number) => boolean): { ms: number } {
  const began = performance.now();
  for (let done = 1;; done++) {
    run();
    const ms = performance.now() - began;
    if (enough(ms, done)) return { ms: ms / done };
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

if (import.meta.main) {
  console.log(`${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}`);
  for (const { sessions, bytesPerSpan, attributesPerSpan, figures } of measureEncoder()) {
    const size = `${bytesPerSpan.toFixed(0)} bytes, ${attributesPerSpan.toFixed(1)} attributes`;
    console.log(`\n${sessions}: ${size} a span`.padEnd(60) + "  ns/span    spans/s   ratio");
    const base = figures[0]?.nsPerSpan ?? NaN;
    for (const { name, nsPerSpan } of figures) {
      const columns = [
        name.padEnd(60),
        nsPerSpan.toFixed(1).padStart(8),
        Math.round(1e9 / nsPerSpan).toLocaleString("en").padStart(11),
        `${(base / nsPerSpan).toFixed(1)}x`.padStart(8),
      ];
      console.log(columns.join(""));
    }
  }
}
