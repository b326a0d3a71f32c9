/** Puts together what makes spans; loaded only if an exporter needs spans, as not all do. */
import { IdHasher } from "../ids/ids.ts";
import type { SamplingOptions } from "../ids/sampling.ts";
import { ScanBudget } from "../host/scan_budget.ts";
import { PortRange } from "../host/client_ports.ts";
import { ParentRule, type ParentSettings } from "./parent.ts";
import { ProcessResources, type ResourceSettings } from "./resource.ts";
import { SpanMapper } from "./span_mapper.ts";
import { SampledTraceStates } from "./trace_states.ts";

/** Settings that spans are made with. */
export interface SpanSettings {
  readonly resource: ResourceSettings;
  readonly trace: ParentSettings & {
    /** Secret key of the site's id hash; empty for the fixed key. */
    readonly key: string;
  };
  /** How the sessions were sampled; undefined if all were kept. */
  readonly sampling: SamplingOptions | undefined;
}

/** What makes spans of this host's sessions. */
export function openSpans({ resource, trace, sampling }: SpanSettings): SpanMapper {
  const scans = new ScanBudget();
  return new SpanMapper(
    new IdHasher(trace.key),
    new ProcessResources(resource, scans),
    new ParentRule(trace, scans),
    PortRange.ephemeral(),
    sampling && new SampledTraceStates(sampling),
  );
}
