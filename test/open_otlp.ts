/** Opens the otlp exporter for a test, as a config file would. */
import { deepStrictEqual } from "node:assert/strict";
import { otlpExporter } from "../exporters/otlp/otlp.ts";
import { otlpSettings } from "../exporters/otlp/settings.ts";
import type { SessionBatch } from "../src/session/batch.ts";
import type { ExportOutcome } from "../src/exporter.ts";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { Session } from "../src/session/session.ts";
import { makeContext, makeSpanMapper } from "./exporter_context.ts";

const spans = makeSpanMapper();

/** The span that the exporter sends of `session`. */
export function toSpan(session: Session): ReadableSpan {
  return spans.toSpan(session);
}

/** An open exporter; disposing of it shuts it down. */
export interface OpenOtlp extends AsyncDisposable {
  readonly destination: string | undefined;
  export(batch: SessionBatch, signal?: AbortSignal): Promise<ExportOutcome>;
}

/**
 * @param settings as in the config file, under `exporters.otlp`
 * @param variables the whole environment
 */
export async function openOtlp(
  settings: object,
  baseDirectory = "/",
  variables: Readonly<Record<string, string>> = {},
): Promise<OpenOtlp> {
  const context = {
    ...makeContext("otlp/test", baseDirectory, toSpan, spans),
    env: (name: string) => variables[name],
  };
  const exporter = await otlpExporter.open(otlpSettings.parse(settings), context);
  deepStrictEqual(context.warnings, []);
  return {
    destination: exporter.destination,
    export: (batch, signal = new AbortController().signal) => exporter.export(batch, signal),
    [Symbol.asyncDispose]: () => exporter.shutdown(),
  };
}

/** Opens the exporter, exports one batch, and shuts it down. */
export async function exportOnce(
  settings: object,
  batch: SessionBatch,
  signal?: AbortSignal,
): Promise<ExportOutcome> {
  await using exporter = await openOtlp(settings);
  return await exporter.export(batch, signal);
}
