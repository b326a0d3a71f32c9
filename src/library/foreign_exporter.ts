/** Exporters that programs and modules bring, behind tcpspan's own queues. */
import { Deadline, onAbort, unlessAborted } from "../abort.ts";
import { MAX_DURATION } from "../config/limits.ts";
import type {
  Exporter as RecordExporter,
  ExporterContext as RecordExporterContext,
  ExportOutcome,
} from "../exporter.ts";
import { HostError, messageOf, UsageError } from "../messages/errors.ts";
import type { SessionBatch as RecordBatch } from "../session/batch.ts";
import { BatchView } from "./batch.ts";
import type { Exporter, ExporterType } from "./exporter.ts";
import { SpansView } from "./spans_view.ts";

/** Milliseconds that an export of code that is not ours may take. */
export const EXPORT_TIMEOUT_MS = 30_000;
/** Why an export failed that the end of the run cut short. */
export const STOPPED = "stopped before it had answered";
/** Why an export failed that says nothing of it. */
export const NO_REASON = "the exporter gave no reason";
const MOST_SHOWN = 100;

/** What {@linkcode openForeign} needs. */
export type ForeignContext = RecordExporterContext & Pick<RecordExporter, "destination">;

/**
 * Opens an exporter of `type`, and hands it records as sessions.
 * @param owned is disposed of once the exporter is shut down
 * @param timeoutMs milliseconds that an export may take
 * @throws what its `open` throws, or {UsageError} if that gives no exporter
 */
export async function openForeign<Settings>(
  type: ExporterType<Settings>,
  settings: Settings,
  context: ForeignContext,
  owned?: Disposable,
  timeoutMs = EXPORT_TIMEOUT_MS,
): Promise<RecordExporter> {
  const { id, baseDirectory, openSpans, warn, stop } = context;
  const opened: unknown = await type.open(settings, {
    id,
    baseDirectory,
    openSpans: async () => new SpansView(await openSpans()),
    warn: (message) => warn(message),
    stop: () => stop(),
  });
  if (isExporter(opened)) return new ForeignExporter(opened, context, owned, timeoutMs);
  throw new UsageError(
    `open() of ${type.type} gave ${show(opened)}: expected an object with export()`,
  );
}

function isExporter(value: unknown): value is Exporter {
  return typeof value === "object" && value !== null && "export" in value &&
    typeof value.export === "function";
}

/** Hands batches on as views, and checks what comes back. */
class ForeignExporter implements RecordExporter {
  readonly destination: string | undefined;
  readonly #exporter: Exporter;
  readonly #context: Pick<ForeignContext, "id" | "warn">;
  readonly #owned: Disposable | undefined;
  readonly #timeoutMs: number;

  constructor(
    exporter: Exporter,
    context: Pick<ForeignContext, "id" | "warn" | "destination">,
    owned: Disposable | undefined,
    timeoutMs: number,
  ) {
    this.destination = context.destination;
    this.#exporter = exporter;
    this.#context = context;
    this.#owned = owned;
    this.#timeoutMs = timeoutMs;
  }

  async start(signal: AbortSignal): Promise<void> {
    try {
      await this.#exporter.start?.(signal);
    } catch (error) {
      throw new HostError(`cannot start ${this.#context.id}: ${messageOf(error)}`);
    }
  }

  lookAnew(): void {
    try {
      this.#exporter.lookAnew?.();
    } catch (error) {
      this.#context.warn(`cannot look anew: ${messageOf(error)}`);
    }
  }

  async export(records: RecordBatch, signal: AbortSignal): Promise<ExportOutcome> {
    using batch = new BatchView(records.slice(0, records.length)); // the queue's memory is its own
    const late = new Error(`no answer within ${this.#timeoutMs / 1000} s`);
    const ending = new AbortController(); // also at the limit: exports that hang must not add up
    using _ended = onAbort(signal, () => ending.abort(signal.reason));
    using deadline = new Deadline(this.#timeoutMs, late);
    using _late = onAbort(deadline.signal, () => ending.abort(late));
    try {
      return outcomeOf(await unlessAborted(this.#export(batch, ending.signal), ending.signal));
    } catch (error) {
      // it may have been taken anyway: better twice than never
      if (signal.aborted) return { status: "retryable", reason: STOPPED };
      if (ending.signal.aborted) return { status: "retryable", reason: late.message };
      return { status: "failure", reason: messageOf(error) };
    }
  }

  async shutdown(): Promise<void> {
    using _owned = this.#owned;
    await this.#exporter.shutdown?.();
  }

  /** Rejects also with what is thrown synchronously. */
  async #export(batch: BatchView, signal: AbortSignal): Promise<unknown> {
    return await this.#exporter.export(batch, signal);
  }
}

/** What an exporter gave, as an outcome: a failure if it is not one. */
function outcomeOf(given: unknown): ExportOutcome {
  const { status, rejected, message, reason, retryAfterMs, delivered, done }: {
    readonly [name: string]: unknown;
  } = { ...Object(given) };
  switch (status) {
    case "success":
      return {
        status,
        ...(isCount(rejected) ? { rejected } : {}),
        ...(typeof message === "string" ? { message } : {}),
      };
    case "retryable":
      return {
        status,
        reason: messageOf(reason ?? NO_REASON),
        ...(typeof retryAfterMs === "number" && retryAfterMs >= 0
          ? { retryAfterMs: Math.min(retryAfterMs, MAX_DURATION) }
          : {}),
        ...(isCount(done) ? { done } : {}),
        ...(isCount(rejected) ? { rejected } : {}),
        ...(typeof message === "string" ? { message } : {}),
      };
    case "failure":
      return {
        status,
        reason: messageOf(reason ?? NO_REASON),
        ...(isCount(delivered) ? { delivered } : {}),
      };
    default:
      return {
        status: "failure",
        reason: `export() gave ${show(given)}: expected an outcome such as { status: "success" }`,
      };
  }
}

/** Whether it is a number of sessions. Any other would spoil the counters for good. */
function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}

/** What code that is not ours gave, for a message: at most a line of 100 characters. */
export function show(value: unknown): string {
  // an error in it has its stack on further lines
  const [text = ""] = Deno.inspect(value, { depth: 1, breakLength: Infinity }).split("\n", 1);
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}
