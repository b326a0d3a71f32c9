/** What exporters are given, for tests of one exporter alone. */
import type { ExporterContext } from "../src/exporter.ts";
import { toTestSpan } from "./otlp_spans.ts";

/** A context that makes test spans and keeps the warnings. */
export interface TestContext extends ExporterContext {
  readonly warnings: string[];
}

/** The context of the exporter `id`, whose config lies in `baseDirectory`. */
export function makeContext(
  id: string,
  baseDirectory: string,
  toSpan: ExporterContext["toSpan"] = toTestSpan,
): TestContext {
  const warnings: string[] = [];
  return {
    id,
    baseDirectory,
    env: () => undefined,
    toSpan,
    warn: (message) => warnings.push(message),
    stop: () => {},
    warnings,
  };
}
