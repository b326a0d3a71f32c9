/** Exporters that programs and modules bring, at work behind the program's queues. */
import { within } from "../abort.ts";
import type {
  Exporter as RecordExporter,
  ExporterContext as RecordExporterContext,
  ExportOutcome,
} from "../exporter.ts";
import { messageOf, UsageError } from "../messages/errors.ts";
import type { SessionBatch as RecordBatch } from "../session/batch.ts";
import { BatchView } from "./batch.ts";
import type { Exporter, ExporterType } from "./exporter.ts";
import { SpansView } from "./spans_view.ts";

const TIMEOUT_MS = 30_000;
const STOPPED = "stopped before it had answered";

/**
 * Opens an exporter of `type`, and has it work on records.
 * @param owned is disposed of once the exporter is shut down
 * @throws what its `open` throws, or {UsageError} if that gives no exporter
 */
export async function openForeign<Settings>(
  type: ExporterType<Settings>,
  settings: Settings,
  { id, baseDirectory, openSpans, warn, stop }: RecordExporterContext,
  owned?: Disposable,
): Promise<RecordExporter> {
  const opened: unknown = await type.open(settings, {
    id,
    baseDirectory,
    openSpans: async () => new SpansView(await openSpans()),
    warn: (message) => warn(message),
    stop: () => stop(),
  });
  if (isExporter(opened)) return new ForeignExporter(opened, owned);
  throw new UsageError(
    `open() of ${type.type} gave ${show(opened)}: expected an object with export()`,
  );
}

function isExporter(value: unknown): value is Exporter {
  return typeof value === "object" && value !== null && "export" in value &&
    typeof value.export === "function";
}

/** Hands batches on as views, and takes nothing for granted of what comes back. */
class ForeignExporter implements RecordExporter {
  readonly #exporter: Exporter;
  readonly #owned: Disposable | undefined;

  constructor(exporter: Exporter, owned: Disposable | undefined) {
    this.#exporter = exporter;
    this.#owned = owned;
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#exporter.start?.(signal);
  }

  lookAnew(): void {
    this.#exporter.lookAnew?.();
  }

  async export(records: RecordBatch, signal: AbortSignal): Promise<ExportOutcome> {
    using batch = new BatchView(records.slice(0, records.length)); // the queue's memory is its own
    const late = new Error(`no answer within ${TIMEOUT_MS / 1000} s`);
    try {
      return outcomeOf(await within(TIMEOUT_MS, late, this.#export(batch, signal), signal));
    } catch (error) {
      // it may have been taken all the same: better twice than never
      if (error === late) return { status: "retryable", reason: late.message };
      if (signal.aborted) return { status: "retryable", reason: STOPPED };
      return { status: "failure", reason: messageOf(error) };
    }
  }

  async shutdown(): Promise<void> {
    using _owned = this.#owned;
    await this.#exporter.shutdown?.();
  }

  /** Also what is thrown at once rejects. */
  async #export(batch: BatchView, signal: AbortSignal): Promise<unknown> {
    return await this.#exporter.export(batch, signal);
  }
}

/** What an exporter gave, where it is an outcome. */
function outcomeOf(given: unknown): ExportOutcome {
  const { status, rejected, message, reason, retryAfterMs, delivered }: {
    readonly [name: string]: unknown;
  } = { ...Object(given) };
  switch (status) {
    case "success":
      return {
        status,
        ...(typeof rejected === "number" ? { rejected } : {}),
        ...(typeof message === "string" ? { message } : {}),
      };
    case "retryable":
      return {
        status,
        reason: String(reason),
        ...(typeof retryAfterMs === "number" ? { retryAfterMs } : {}),
      };
    case "failure":
      return {
        status,
        reason: String(reason),
        ...(typeof delivered === "number" ? { delivered } : {}),
      };
    default:
      return {
        status: "failure",
        reason: `export() gave ${show(given)}: expected an outcome such as { status: "success" }`,
      };
  }
}

function show(value: unknown): string {
  return Deno.inspect(value, { depth: 1, breakLength: Infinity });
}
