/** Encodes batches and hands them to a transport. */
import type { SessionBatch } from "../../src/session/batch.ts";
import type { Exporter, ExportOutcome } from "../../src/exporter.ts";
import type { OtlpEncoding } from "./encoding.ts";
import { outcomeOf, Parts } from "./outcome.ts";
import type { Reasons } from "./reason.ts";
import { RequestSize } from "./request_size.ts";
import type { OtlpTransport } from "./transport.ts";

const HALF = 0.55; // and what both halves have: their resources

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

/** Sends each batch in one request, or in several if the destination does not take so much at once. */
export class OtlpExporter implements Exporter {
  readonly asksIfEmpty = true;
  readonly #options: OtlpExporterOptions;
  readonly #size: RequestSize;

  constructor(options: OtlpExporterOptions) {
    this.#options = options;
    this.#size = new RequestSize(options.maxBytes);
  }

  get destination(): string {
    return this.#options.destination;
  }

  async export(batch: SessionBatch, signal: AbortSignal): Promise<ExportOutcome> {
    const { encoding, transport, timeout } = this.#options;
    const parts = new Parts(batch);
    let most = Infinity; // bytes, once something was refused
    let isLimit = true; // a single session that is refused may be so for what is in it
    do {
      const bytes = Math.min(most, this.#size.bytes);
      const sessions = this.#size.sessionsIn(bytes, parts.rest.length);
      const part = sessions === batch.length ? batch : parts.rest.slice(0, sessions);
      const body = encoding.encode(part);
      if (body.length > bytes && sessions > 1) {
        this.#size.measure(body.length, sessions);
        encoding.recycle(body);
        continue;
      }
      const response = await transport.send(body, timeout, signal);
      // a failed body may still be in use, on a connection that is being closed
      if (response.status === "success") encoding.recycle(body);
      if (response.isTooLarge === true || sessions < batch.length) {
        this.#size.measure(body.length, sessions);
      }
      if (response.isTooLarge === true && sessions > 1) {
        most = Math.ceil(HALF * body.length);
        continue;
      }
      if (response.isTooLarge === true) isLimit = false;
      const outcome = outcomeOf(response, (answer) => this.#partialSuccess(answer, sessions));
      if (outcome.status === "retryable") return parts.interrupted(outcome);
      if (outcome.status === "success" && isLimit) this.#size.remember(most);
      parts.add(outcome, sessions);
    } while (parts.rest.length > 0);
    return parts.outcome;
  }

  isStale(): Promise<boolean> {
    return this.#options.isStale();
  }

  shutdown(): Promise<void> {
    this.#options.transport.shutdown();
    return Promise.resolve();
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
