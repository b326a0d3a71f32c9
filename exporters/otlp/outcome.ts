/** What an answer means for what was sent: the same for each signal. */
import type { ExportResponse } from "../../npm/opentelemetry/otlp_exporter_base.ts";
import type { ExportOutcome } from "../../src/exporter.ts";

/** @param taken reads the body of an answer that says that the request was taken */
export function outcomeOf(
  response: ExportResponse,
  taken: (body: Uint8Array) => ExportOutcome,
): ExportOutcome {
  switch (response.status) {
    case "success":
      return response.data === undefined ? { status: "success" } : taken(response.data);
    case "retryable":
      return {
        status: "retryable",
        reason: response.error?.message ?? "", // our transports always give one
        ...(response.retryInMillis === undefined ? {} : { retryAfterMs: response.retryInMillis }),
      };
    case "failure":
      return { status: "failure", reason: response.error.message };
  }
}
