/** Puts together what makes spans, apart from the run: not every exporter asks for spans. */
import { IdHasher } from "../ids/ids.ts";
import { ParentRule } from "../span/parent.ts";
import { PortRange } from "../host/client_ports.ts";
import { ProcessResources } from "../span/resource.ts";
import type { RunSettings } from "./settings.ts";
import { SpanMapper } from "../span/span_mapper.ts";
import { SampledTraceStates } from "../span/trace_states.ts";

/** The mapper of a run. */
export function openSpans(
  { capture: { sampling }, resource, trace }: RunSettings,
): SpanMapper {
  return new SpanMapper(
    new IdHasher(trace.key),
    new ProcessResources(resource),
    new ParentRule(trace),
    PortRange.ephemeral(),
    sampling && new SampledTraceStates(sampling),
  );
}
