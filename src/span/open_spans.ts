/** Puts together what makes spans: loaded where somebody asks for spans, since not every run does. */
import { IdHasher } from "../ids/ids.ts";
import type { SamplingOptions } from "../ids/sampling.ts";
import { PortRange } from "../host/client_ports.ts";
import { ParentRule, type ParentSettings } from "./parent.ts";
import { ProcessResources, type ResourceSettings } from "./resource.ts";
import { SpanMapper } from "./span_mapper.ts";
import { SampledTraceStates } from "./trace_states.ts";

/** What spans are made by. */
export interface SpanSettings {
  readonly resource: ResourceSettings;
  readonly trace: ParentSettings & {
    /** Secret of the site's id hash; empty for the fixed one. */
    readonly key: string;
  };
  /** How the sessions were sampled; undefined where all were kept. */
  readonly sampling: SamplingOptions | undefined;
}

/** What makes spans of this host's sessions. */
export function openSpans({ resource, trace, sampling }: SpanSettings): SpanMapper {
  return new SpanMapper(
    new IdHasher(trace.key),
    new ProcessResources(resource),
    new ParentRule(trace),
    PortRange.ephemeral(),
    sampling && new SampledTraceStates(sampling),
  );
}
