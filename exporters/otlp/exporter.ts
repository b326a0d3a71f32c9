/** Encodes batches and hands them to a transport. */
import type { SessionBatch } from "../../src/session/batch.ts";
import type { Exporter, ExportOutcome } from "../../src/exporter.ts";
import type { OtlpEncoding } from "./encoding.ts";
import { outcomeOf } from "./outcome.ts";
import type { Reasons } from "./reason.ts";
import type { OtlpTransport } from "./transport.ts";

/** What an {@linkcode OtlpExporter} needs. */
export interface OtlpExporterOptions {
  /** Where the transport sends, for messages. */
  readonly destination: string;
  readonly encoding: OtlpEncoding;
  readonly transport: OtlpTransport;
  readonly reasons: Reasons;
  /** Milliseconds that one request may last. */
  readonly timeout: number;
  /** Bytes of a request before compression: a larger batch is sent in parts. */
  readonly maxBytes: number;
  /** Whether the certificates that the transport uses were renewed. */
  readonly isStale: () => Promise<boolean>;
}

/** Sends each batch in one request, or in several if one would be too large. */
export class OtlpExporter implements Exporter {
  readonly asksIfEmpty = true;
  readonly #options: OtlpExporterOptions;

  constructor(options: OtlpExporterOptions) {
    this.#options = options;
  }

  get destination(): string {
    return this.#options.destination;
  }

  async export(batch: SessionBatch, signal: AbortSignal): Promise<ExportOutcome> {
    const { encoding, transport, timeout, maxBytes } = this.#options;
    const body = encoding.encode(batch);
    if (body.length <= maxBytes || batch.length <= 1) {
      const response = await transport.send(body, timeout, signal);
      // a failed body may still be in use, on a connection that is being closed
      if (response.status === "success") encoding.recycle(body);
      return outcomeOf(response, (answer) => this.#partialSuccess(answer, batch.length));
    }
    encoding.recycle(body);
    const middle = Math.ceil(batch.length / 2);
    return await this.#exportHalves(
      batch.slice(0, middle),
      batch.slice(middle, batch.length),
      signal,
    );
  }

  isStale(): Promise<boolean> {
    return this.#options.isStale();
  }

  shutdown(): Promise<void> {
    this.#options.transport.shutdown();
    return Promise.resolve();
  }

  /** If one half must be sent again, both are: spans that are sent twice are the same spans. */
  async #exportHalves(
    first: SessionBatch,
    second: SessionBatch,
    signal: AbortSignal,
  ): Promise<ExportOutcome> {
    const one = await this.export(first, signal);
    if (one.status === "retryable") return one;
    const two = await this.export(second, signal);
    if (two.status === "retryable") return two;
    if (one.status === "failure" && two.status === "failure") return one;
    const rejected = rejectedOf(one, first) + rejectedOf(two, second);
    const message = detailOf(one) ?? detailOf(two);
    return {
      status: "success",
      ...(rejected === 0 ? {} : { rejected }),
      ...(message === undefined ? {} : { message }),
    };
  }

  /** Rejected spans are gone: the specification forbids to send them again. */
  #partialSuccess(answer: Uint8Array, sessions: number): ExportOutcome {
    const partial = this.#options.encoding.readPartialSuccess(answer);
    const message = this.#options.reasons.told(partial.message);
    return {
      status: "success",
      ...(partial.rejected === 0 ? {} : { rejected: Math.min(partial.rejected, sessions) }),
      ...(message === "" ? {} : { message }),
    };
  }
}

function rejectedOf(outcome: ExportOutcome, batch: SessionBatch): number {
  return outcome.status === "success" ? outcome.rejected ?? 0 : batch.length;
}

function detailOf(outcome: ExportOutcome): string | undefined {
  return outcome.status === "success" ? outcome.message : outcome.reason;
}
