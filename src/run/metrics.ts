/** The metrics of a run: opened where they are configured, replaced at a reload, closed. */
import type { Environment } from "../config/expand.ts";
import type { RunSettings } from "./settings.ts";
import type { Health } from "../telemetry/health.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";

const LAST_METRICS_MS = 1000;

/** What telemetry of the run is given. */
export interface MetricsContext {
  readonly baseDirectory: string;
  readonly env: Environment;
}

/** At most one telemetry at a time; its packages are loaded where it is asked for. */
export class Metrics implements AsyncDisposable {
  readonly #context: MetricsContext;
  #current: Telemetry | undefined;
  #read: (() => Health) | undefined;

  constructor(context: MetricsContext) {
    this.#context = context;
  }

  /**
   * Opens what the settings ask for, to be put to use or disposed of.
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

  /** Begins to send and to show what `read` gives. */
  start(read: () => Health): void {
    this.#read = read;
    this.#current?.start(read);
  }

  /** Puts to use what was opened, or nothing; what is replaced sends its last metrics. */
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

  /** Sends the metrics a last time, for so many milliseconds at most, and ends. */
  async close(timeoutMs = LAST_METRICS_MS): Promise<void> {
    await this.#current?.close(timeoutMs);
  }

  /** Ends without another word. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#current?.[Symbol.asyncDispose]();
  }
}
