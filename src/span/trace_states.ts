/** What spans say about sampling. */
import { type SamplingOptions, thresholdText } from "../ids/sampling.ts";
import { FixedTraceState } from "./span_sink.ts";

/** The trace states of the spans of one run. */
export class SampledTraceStates {
  readonly #sampled: FixedTraceState;
  readonly #failed: FixedTraceState;

  constructor({ ratio, keepErrors = false }: SamplingOptions) {
    this.#sampled = new FixedTraceState(`ot=th:${thresholdText(ratio)}`);
    this.#failed = keepErrors ? new FixedTraceState("ot=th:0") : this.#sampled;
  }

  /** If all failures are kept, whatever their trace ids, each stands for only itself. */
  of(failed: boolean): FixedTraceState {
    return failed ? this.#failed : this.#sampled;
  }
}
