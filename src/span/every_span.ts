/** What all spans have in common. */
import { TraceFlags } from "../../npm/opentelemetry/api.ts";
import { VERSION } from "../version.ts";

/** The start of every span's name. */
export const SPAN_NAME = "tcp";

/** The instrumentation scope of every span. The schema is that of the conventions used. */
export const SCOPE = {
  name: "tcpspan",
  version: VERSION,
  schemaUrl: "https://opentelemetry.io/schemas/1.45.0",
} as const;

const RANDOM = 2; // W3C Trace Context level 2: the last 56 bits of the trace id are random

/** The trace flags of every span: ids are hashes. */
export const TRACE_FLAGS = TraceFlags.SAMPLED | RANDOM;
