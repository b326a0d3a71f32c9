/** The metrics of a run: opened if they are configured, replaced at a reload, closed. */
import type { Environment } from "../config/expand.ts";
import type { RunSettings } from "./settings.ts";
import type { Health } from "../telemetry/health.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";

const LAST_METRICS_MS = 1000;

/** What the telemetry of a run needs. */
export interface MetricsContext {
  readonly baseDirectory: string;
  readonly env: Environment;
}

/** At most one telemetry at a time; its packages are loaded only if it is configured. */
export class Metrics implements AsyncDisposable {
  readonly #context: MetricsContext;
  #current: Telemetry | undefined;
  #read: (() => Health) | undefined;

  constructor(context: MetricsContext) {
    this.#context = context;
  }

  /**
   * Opens what the settings ask for; the caller passes it to `use` or disposes of it.
   * @throws {UsageError} if it cannot be opened
   */
  async open({ telemetry, resource }: RunSettings): Promise<Telemetry | undefined> {
    if (telemetry === undefined) return undefined;
    const { Telemetry } = await import("../telemetry/telemetry.ts");
    return await Telemetry.open(telemetry, {
      ...this.#context,
      resourceAttributes: resource.attributes,
      before: this.#current,
    });
  }

  /** Starts to send and to show what `read` returns. */
  start(read: () => Health): void {
    this.#read = read;
    this.#current?.start(read);
  }

  /** Replaces the telemetry by `opened`, or by nothing; the old one sends its last metrics. */
  async use(opened: Telemetry | undefined): Promise<void> {
    const before = this.#current;
    this.#current = opened;
    if (this.#read !== undefined) opened?.start(this.#read);
    await before?.close(LAST_METRICS_MS);
  }

  /** Whether certificates that they are sent with were renewed. */
  async isStale(): Promise<boolean> {
    return await this.#current?.isStale() ?? false;
  }

  /** Sends the metrics a last time, for at most `timeoutMs` milliseconds, and ends. */
  async close(timeoutMs = LAST_METRICS_MS): Promise<void> {
    await this.#current?.close(timeoutMs);
  }

  /** Ends without sending anything more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#current?.[Symbol.asyncDispose]();
  }
}
