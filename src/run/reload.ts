/** Reads the config again during a run. */
import { unlessAborted, within } from "../abort.ts";
import type { Capture } from "../capture/capture.ts";
import { describeFailure, HostError, UsageError } from "../messages/errors.ts";
import { log } from "../messages/log.ts";
import type { RunSettings } from "./settings.ts";
import {
  type Changes,
  compareSettings,
  describeChanges,
  keepFixed,
  type Stale,
} from "./changes.ts";
import type { Exporters, OpenedExporters } from "./exporters.ts";
import type { Metrics } from "./metrics.ts";
import { warnOfOmissions } from "./omissions.ts";
import { outputOf } from "./output.ts";

const TIMEOUT_MS = 60_000; // to load a module or to read a file may never end

/** What a reload needs. */
export interface ReloadContext {
  /** The config file; undefined if the run has none. */
  readonly file: string | undefined;
  /** Reads the config, checks it, and puts the flags over it. */
  readonly readSettings: () => Promise<RunSettings>;
  readonly exporters: Exporters;
  readonly metrics: Metrics;
  /** Aborts when the run must end: then nothing is reloaded any more. */
  readonly stop: AbortSignal;
}

type Reconfigurable = Pick<Capture, "reconfigure">;

/** Reloads the config of a run, one reload at a time. */
export class Reloader {
  readonly #context: ReloadContext;
  #settings: RunSettings;
  #capture: Reconfigurable | undefined;
  #output: number | undefined; // that the capture watches
  #wanted = false;
  #working: Promise<void> | undefined;

  /** @param settings the run's first settings */
  constructor(settings: RunSettings, context: ReloadContext) {
    this.#settings = settings;
    this.#output = outputOf(settings);
    this.#context = context;
  }

  /** The settings in force. */
  get settings(): RunSettings {
    return this.#settings;
  }

  /**
   * Serves requests from now on, and one that came before.
   * @param keepsPrivileges whether privileges could not be dropped, as the settings ask
   */
  begin(capture: Reconfigurable, keepsPrivileges = false): void {
    if (keepsPrivileges) this.#settings = { ...this.#settings, dropPrivileges: false };
    this.#capture = capture;
    if (this.#wanted) this.request();
  }

  /** Asks for a reload. All requests that come during a reload lead to one more. */
  request(): void {
    this.#wanted = true;
    const capture = this.#capture;
    if (capture !== undefined) this.#working ??= this.#work(capture);
  }

  /** Resolves once no reload is under way. None starts after `stop`. */
  async end(): Promise<void> {
    await this.#working;
  }

  async #work(capture: Reconfigurable): Promise<void> {
    while (this.#wanted && !this.#context.stop.aborted) {
      this.#wanted = false;
      await this.#reload(capture);
    }
    this.#working = undefined;
  }

  /** If something is wrong, the run continues as it was, and says why. */
  async #reload(capture: Reconfigurable): Promise<void> {
    const { file, readSettings, exporters, stop } = this.#context;
    if (file === undefined) {
      return log.info("reload: nothing to reload: the run has no config file");
    }
    exporters.lookAnew();
    try {
      const stale = await this.#inTime("certificates were not read", this.#stale());
      const read = await this.#inTime("the config was not read", readSettings());
      const { settings, fixed } = keepFixed(this.#settings, read);
      const changes = await this.#apply(settings, stale, capture);
      log.info(`reloaded ${file}: ${describeChanges(changes)}`);
      for (const key of fixed) log.warn(`reload: changes of ${key} take effect at the next start`);
    } catch (error) {
      if (stop.aborted) return;
      log.warn(`reload: kept the running config: ${describeFailure(error)}`.split("\n"));
    }
  }

  /** @param capture undefined to leave it as it is */
  async #apply(
    next: RunSettings,
    stale: Stale,
    capture: Reconfigurable | undefined,
  ): Promise<Changes> {
    const { exporters, metrics, stop } = this.#context;
    const changes = compareSettings(this.#settings, exporters.running, next, stale);
    await using undo = new AsyncDisposableStack();
    const opened = await this.#open(next, changes);
    undo.defer(() => exporters.discard(opened));
    const telemetry = changes.telemetry ? await metrics.open(next) : undefined;
    undo.use(telemetry);
    const output = this.#outputFor(next);
    const reconfigured = changes.capture || output !== this.#output ? capture : undefined;
    try {
      if (reconfigured !== undefined) {
        warnOfOmissions(await unlessAborted(reconfigured.reconfigure(next.capture, output), stop));
      }
    } catch (error) {
      await undo.disposeAsync();
      if (!(error instanceof HostError)) throw error;
      log.warn(`reload: ${error.message}`.split("\n"));
      return await this.#apply({ ...next, capture: this.#settings.capture }, stale, undefined);
    }
    try {
      await exporters.start(opened, stop);
      stop.throwIfAborted(); // what runs is being closed
    } catch (error) {
      if (!stop.aborted) await reconfigured?.reconfigure(this.#settings.capture, this.#output);
      throw error;
    }
    for (const warning of next.warnings) {
      if (!this.#settings.warnings.includes(warning)) log.warn(warning);
    }
    undo.move();
    exporters.use(opened);
    if (changes.telemetry) await metrics.use(telemetry);
    this.#settings = next;
    if (reconfigured !== undefined) this.#output = output;
    return changes;
  }

  /** The output to watch: to watch another one, a program must be loaded. */
  #outputFor(next: RunSettings): number | undefined {
    return next.dropPrivileges ? this.#output : outputOf(next);
  }

  async #stale(): Promise<Stale> {
    const { exporters, metrics } = this.#context;
    const [ids, telemetry] = await Promise.all([exporters.stale(), metrics.isStale()]);
    return { exporters: ids, telemetry };
  }

  /** What opens too late is shut down when it opens. */
  async #open(next: RunSettings, changes: Changes): Promise<OpenedExporters> {
    const { exporters } = this.#context;
    const opening = exporters.open(next, changes);
    try {
      return await this.#inTime("exporters did not open", opening);
    } catch (error) {
      opening.then((opened) => exporters.discard(opened), () => {});
      throw error;
    }
  }

  /** @throws {UsageError} that says `failure`, if `work` takes too long */
  #inTime<Result>(failure: string, work: Promise<Result>): Promise<Result> {
    const late = new UsageError(`${failure} within ${TIMEOUT_MS / 1000} s`);
    return within(TIMEOUT_MS, late, work, this.#context.stop);
  }
}
