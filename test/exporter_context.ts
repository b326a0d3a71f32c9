/** What exporters get, for tests of a single exporter. */
import type { ExporterContext } from "../src/exporter.ts";
import { IdHasher } from "../src/ids/ids.ts";
import { ParentRule } from "../src/span/parent.ts";
import { PortRange } from "../src/host/client_ports.ts";
import { ProcessResources } from "../src/span/resource.ts";
import type { SamplingOptions } from "../src/ids/sampling.ts";
import { SampledTraceStates } from "../src/span/trace_states.ts";
import { SpanMapper } from "../src/span/span_mapper.ts";
import type { SpanSource, ToSpan } from "../src/span/span_sink.ts";
import { toTestSpan } from "./otlp_spans.ts";

/** A context that makes test spans and keeps the warnings. */
export interface TestContext extends ExporterContext {
  readonly warnings: string[];
  readonly toSpan: ToSpan;
}

/** The spans that the program makes, with every kind of value in their resources. */
export function makeSpanMapper(sampling?: SamplingOptions): SpanMapper {
  const attributes = {
    "test.text": 'zwölf "Boxkämpfer" \u{1f94a}\n',
    "test.empty": "",
    "test.large": Number.MAX_SAFE_INTEGER,
    "test.negative": -1,
    "test.double": 0.5,
    "test.true": true,
    "test.list": ["a", "b"],
  };
  return new SpanMapper(
    new IdHasher("test"),
    new ProcessResources({ attributes, commandLine: false, fromProcessEnv: false }),
    new ParentRule({ parent: "auto", peers: ["10.0.0.0/8"] }),
    new PortRange(32768, 60999),
    sampling && new SampledTraceStates(sampling),
  );
}

/** The context of the exporter `id`, whose config is in `baseDirectory`. */
export function makeContext(
  id: string,
  baseDirectory: string,
  toSpan = toTestSpan,
  source: SpanSource = makeSpanMapper(),
): TestContext {
  const warnings: string[] = [];
  return {
    id,
    baseDirectory,
    env: () => undefined,
    toSpan,
    reloading: false,
    openSpans: () =>
      Promise.resolve({
        toSpan,
        describe: (session, sink) => source.describe(session, sink),
        resourceOf: (session) => source.resourceOf(session),
      }),
    warn: (message) => warnings.push(message),
    stop: () => {},
    warnings,
  };
}
