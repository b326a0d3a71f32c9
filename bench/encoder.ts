/**
 * The cost of turning records into OTLP requests, a part of `deno task bench:micro`. tcpspan's
 * encoder and the official serializer take turns on one core, with the same sessions; a figure is
 * the median of the rounds.
 */
import type { ReadableSpan } from "../npm/opentelemetry/sdk_trace.ts";
import { ProtobufTraceSerializer } from "../npm/opentelemetry/otlp_transformer.ts";
import { TraceRequestEncoder } from "../exporters/otlp/protobuf/request.ts";
import type { SessionBatch } from "../src/session/batch.ts";
import { IdHasher } from "../src/ids/ids.ts";
import { ParentRule } from "../src/span/parent.ts";
import { PortRange } from "../src/host/client_ports.ts";
import { ProcessResources } from "../src/span/resource.ts";
import { SpanMapper } from "../src/span/span_mapper.ts";
import { encoderBatches } from "./encoder_sessions.ts";
import { type Figure, measureWays, printFigures, printMachine } from "./micro.ts";

/** The figures for one kind of sessions; the others are compared with the first. */
export interface EncoderReport {
  readonly sessions: string;
  readonly bytesPerSpan: number;
  readonly attributesPerSpan: number;
  readonly figures: readonly Figure[];
}

const SDK_BATCH = 512; // spans that the SDK's processor exports at once, good for its serializer

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
    figures: measureWays(ways, batch.length),
  };
}

function official(spans: ReadableSpan[]): void {
  if (ProtobufTraceSerializer.serializeRequest(spans) === undefined) {
    throw new TypeError("cannot measure: the serializer gave nothing");
  }
}

if (import.meta.main) {
  printMachine();
  for (const { sessions, bytesPerSpan, attributesPerSpan, figures } of measureEncoder()) {
    const size = `${bytesPerSpan.toFixed(0)} bytes, ${attributesPerSpan.toFixed(1)} attributes`;
    printFigures(`${sessions}: ${size} a span`, "span", figures);
  }
}
