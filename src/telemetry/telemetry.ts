/** Health as metrics: sent over OTLP, and shown on a page for Prometheus. */
import type { Attributes } from "../../npm/opentelemetry/api.ts";
import { PrometheusExporter } from "../../npm/opentelemetry/exporter_prometheus.ts";
import { MeterProvider, type MetricReader } from "../../npm/opentelemetry/sdk_metrics.ts";
import { isDeepStrictEqual } from "node:util";
import { unlessAborted } from "../abort.ts";
import type { Environment } from "../config/expand.ts";
import { log } from "../messages/log.ts";
import { VERSION } from "../version.ts";
import type { Health } from "./health.ts";
import { addInstruments } from "./instruments.ts";
import { openPeriodicReader } from "./periodic_reader.ts";
import { PrometheusPage } from "./prometheus_page.ts";
import { ownResource } from "./resource.ts";
import type { TelemetrySettings } from "./settings.ts";

/** What {@linkcode Telemetry.open} needs besides the settings. */
export interface TelemetryContext {
  /** Folder that relative paths in the config are relative to. */
  readonly baseDirectory: string;
  readonly env: Environment;
  /** Attributes from the config and the environment. */
  readonly resourceAttributes: Attributes;
  /** What is replaced: its page is taken over if the port stays. */
  readonly before?: Telemetry | undefined;
}

/**
 * The metrics of a run. Nothing waits for them, and a failed request loses none: the next one has
 * the current counters.
 */
export class Telemetry implements AsyncDisposable {
  readonly #abort = new AbortController(); // cuts short an export
  readonly #listen: TelemetrySettings["prometheus"];
  #page: PrometheusPage | undefined;
  #pageExporter: PrometheusExporter | undefined;
  #before: Telemetry | undefined; // whose page this one takes over at the start
  #provider: MeterProvider | undefined;
  #isStale: (() => Promise<boolean>) | undefined;
  #read: (() => Health) | undefined;
  #closing: Promise<void> | undefined;

  /**
   * Opens what the settings ask for. Collects nothing until `start`.
   * @throws {UsageError} if a port is in use, or the exporter's settings cannot work for metrics
   */
  static async open(settings: TelemetrySettings, context: TelemetryContext): Promise<Telemetry> {
    const telemetry = new Telemetry(settings.prometheus);
    await using onFailure = new AsyncDisposableStack();
    onFailure.use(telemetry);
    await telemetry.#open(settings, context);
    onFailure.move();
    return telemetry;
  }

  private constructor(listen: TelemetrySettings["prometheus"]) {
    this.#listen = listen;
  }

  async #open(
    { otlp, prometheus }: TelemetrySettings,
    { baseDirectory, env, resourceAttributes, before }: TelemetryContext,
  ): Promise<void> {
    const readers: MetricReader[] = [];
    if (prometheus !== undefined) {
      if (before !== undefined && isDeepStrictEqual(before.#listen, prometheus)) {
        this.#before = before;
      } else this.#page = await PrometheusPage.open(prometheus);
      this.#pageExporter = new PrometheusExporter({ preventServerStart: true });
      readers.push(this.#pageExporter);
    }
    if (otlp !== undefined) {
      const context = { baseDirectory, env, signal: this.#abort.signal };
      const { reader, isStale } = await openPeriodicReader(otlp, context);
      readers.push(reader);
      this.#isStale = isStale;
    }
    this.#provider = new MeterProvider({ resource: ownResource(resourceAttributes), readers });
    addInstruments(this.#provider.getMeter("tcpspan", VERSION), () => this.#read?.());
  }

  /** @param read returns the health, whenever metrics are collected */
  start(read: () => Health): void {
    this.#read = read;
    if (this.#page !== undefined) log.info(`metrics are at ${this.#page.url}`);
    if (this.#before !== undefined) {
      this.#page = this.#before.#page;
      this.#before.#page = undefined;
    }
    if (this.#pageExporter !== undefined) this.#page?.serve(this.#pageExporter);
  }

  /** Whether certificates that metrics are sent with were renewed. */
  async isStale(): Promise<boolean> {
    return await this.#isStale?.() ?? false;
  }

  /**
   * Sends the metrics a last time, for `timeoutMs` milliseconds at most, and ends. Closing again with
   * 0 ends at once.
   */
  close(timeoutMs: number): Promise<void> {
    if (timeoutMs === 0) this.#abort.abort();
    return this.#closing ??= this.#close(timeoutMs);
  }

  /** Ends without sending anything more. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close(0);
  }

  async #close(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => this.#abort.abort(), timeoutMs);
    try {
      await unlessAborted(this.#provider?.shutdown() ?? Promise.resolve(), this.#abort.signal);
    } catch {
      // the sender has reported what could not be sent
    }
    clearTimeout(timer);
    await this.#page?.[Symbol.asyncDispose]();
  }
}
