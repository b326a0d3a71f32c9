/** What spans tell of sampling. */
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

  /** A failure stands for itself alone where all are kept, whatever its trace id. */
  of(failed: boolean): FixedTraceState {
    return failed ? this.#failed : this.#sampled;
  }
}
