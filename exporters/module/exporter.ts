/** Runs the exporter of a module: a native one, or a SpanExporter of OpenTelemetry JS. */
import { type ExportResult, ExportResultCode } from "../../npm/opentelemetry/core.ts";
import type { ReadableSpan, SpanExporter } from "../../npm/opentelemetry/sdk_trace.ts";
import { within } from "../../src/abort.ts";
import type { SessionBatch } from "../../src/session/batch.ts";
import type { SpanSource } from "../../src/span/span_sink.ts";
import type { ExporterType } from "../../src/library/exporter.ts";
import {
  EXPORT_TIMEOUT_MS,
  type ForeignContext,
  NO_REASON,
  openForeign,
  show,
  STOPPED,
} from "../../src/library/foreign_exporter.ts";
import { UsageError } from "../../src/messages/errors.ts";
import type { Exporter, ExporterContext, ExportOutcome } from "../../src/exporter.ts";
import { surviveFaults } from "./faults.ts";
import { firstLine, loadExporter } from "./load.ts";
import type { ModuleSettings } from "./settings.ts";
import { toWholeMicroseconds } from "./span.ts";

const NOT_ASKED = "loaded; its endpoint was not asked"; // some throw on an empty array

/** @throws {UsageError} if the module has no exporter, or one that cannot be opened */
export async function openModule(
  settings: ModuleSettings,
  context: ExporterContext,
): Promise<Exporter> {
  const { id, baseDirectory, warn } = context;
  const loaded = await loadExporter(settings, id, baseDirectory);
  const destination = shownModule(settings);
  if (loaded.kind === "native") {
    return await openNative(loaded.type, settings, { ...context, destination });
  }
  const { toSpan } = await context.openSpans();
  return new ModuleExporter(loaded.exporter, { toSpan, warn, destination });
}

/** A URL's query and fragment may be secret. */
function shownModule({ module }: ModuleSettings): string {
  return module.replace(/[?#].*$/s, "");
}

async function openNative(
  type: ExporterType,
  { options }: ModuleSettings,
  context: ForeignContext,
): Promise<Exporter> {
  const faults = surviveFaults(context.warn);
  try {
    return await openForeign(type, options, context, faults);
  } catch (error) {
    faults[Symbol.dispose]();
    const place = `exporters.${context.id}.options`;
    throw new UsageError(`${place}: cannot open ${type.type}: ${firstLine(error)}`);
  }
}

/** What a {@linkcode ModuleExporter} needs. */
export type ModuleContext =
  & Pick<ExporterContext, "warn">
  & Pick<SpanSource, "toSpan">
  & Pick<Exporter, "destination">;

/** A SpanExporter as an {@linkcode Exporter}: whatever it does, the program keeps running. */
export class ModuleExporter implements Exporter {
  readonly destination: string | undefined;
  readonly #exporter: SpanExporter;
  readonly #context: ModuleContext;
  readonly #timeoutMs: number;
  readonly #faults: Disposable;

  /** @param timeoutMs milliseconds that an export may take; a shutdown has what its queue gives */
  constructor(exporter: SpanExporter, context: ModuleContext, timeoutMs = EXPORT_TIMEOUT_MS) {
    this.destination = context.destination;
    this.#exporter = exporter;
    this.#context = context;
    this.#timeoutMs = timeoutMs;
    this.#faults = surviveFaults(context.warn);
  }

  async export(batch: SessionBatch, signal: AbortSignal): Promise<ExportOutcome> {
    if (batch.length === 0) return { status: "success", message: NOT_ASKED };
    const spans = Array.from(
      batch,
      (session) => toWholeMicroseconds(this.#context.toSpan(session)),
    );
    const late = new Error(`no answer within ${this.#timeoutMs / 1000} s`);
    try {
      return outcomeOf(await within(this.#timeoutMs, late, this.#call(spans, late), signal));
    } catch (error) {
      const stopped = signal.aborted && error === signal.reason;
      return { status: "failure", reason: stopped ? STOPPED : firstLine(error) };
    }
  }

  /** @param late gets the cause of it, if there is one */
  #call(spans: ReadableSpan[], late: Error): Promise<unknown> {
    return new Promise((resolve, reject) => {
      // void by its type, but some are async and reject, or give their result instead
      const returned: unknown = this.#exporter.export(spans, resolve);
      Promise.resolve(returned).then((given) => {
        refuseOutcome(given);
        if (isResult(given)) resolve(given);
        // a timer, say: it may call back later
        if (given !== undefined) late.message += `: export() gave ${show(given)}, and no callback`;
      }).catch(reject);
    });
  }

  async shutdown(): Promise<void> {
    try {
      await this.#end();
    } catch (error) {
      this.#context.warn(`cannot shut down: ${firstLine(error)}`);
    } finally {
      this.#faults[Symbol.dispose]();
    }
  }

  async #end(): Promise<void> {
    try {
      await this.#exporter.forceFlush?.();
    } finally {
      await this.#exporter.shutdown();
    }
  }
}

/** What a SpanExporter called back with, or gave. */
function outcomeOf(result: unknown): ExportOutcome {
  if (isResult(result)) {
    const { code, error } = result;
    if (code === ExportResultCode.SUCCESS) return { status: "success" };
    return { status: "failure", reason: firstLine(error ?? NO_REASON) };
  }
  if (result === undefined) return { status: "failure", reason: NO_REASON };
  const expected = "expected { code: 0 }, or { code: 1, error }";
  return { status: "failure", reason: `export() called back with ${show(result)}: ${expected}` };
}

function isResult(value: unknown): value is ExportResult {
  return typeof value === "object" && value !== null && "code" in value &&
    (value.code === ExportResultCode.SUCCESS || value.code === ExportResultCode.FAILED);
}

/** Throws if a SpanExporter answers as a native exporter does: then it will not call back. */
function refuseOutcome(returned: unknown): void {
  if (typeof returned !== "object" || returned === null || !("status" in returned)) return;
  throw new Error(
    `export() gave ${show(returned)}, but a SpanExporter calls back: ` +
      "to give outcomes, export an exporter type: see docs/library.md",
  );
}
