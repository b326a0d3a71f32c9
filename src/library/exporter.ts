/** Exporters that programs and modules bring. */
import type { ExportOutcome } from "../exporter.ts";
import type { SessionBatch } from "./batch.ts";
import type { Spans } from "./spans.ts";

/**
 * A destination of sessions. It stands behind a queue, which hands it one batch at a time for each of
 * its consumers, tries again what may be taken later, and counts what is lost.
 */
export interface Exporter {
  /** Called once, when sessions can come. `signal` aborts when the run must end. */
  start?(signal: AbortSignal): Promise<void> | void;
  /** Called at SIGHUP: reopens what was renamed or removed, as logrotate does. */
  lookAnew?(): void;
  /**
   * Hands a batch to the destination. The batch is given up after the outcome: see
   * {@linkcode Session.toObject}. What this throws counts as a failure. An empty batch asks whether the
   * destination would take more.
   * @param signal aborts after 30 s, and when the run ends and has waited long enough
   */
  export(batch: SessionBatch, signal: AbortSignal): Promise<ExportOutcome> | ExportOutcome;
  /** Flushes, and frees what it holds. No `export` is under way then, and none follows. */
  shutdown?(): Promise<void> | void;
}

/** What an exporter is given to work with. */
export interface ExporterContext {
  /** Its id in the config: `type` or `type/name`. */
  readonly id: string;
  /** Folder that relative paths are relative to: the config file's. */
  readonly baseDirectory: string;
  /** Loads what makes spans, with the settings of the run. */
  openSpans(): Promise<Spans>;
  /** Reports something to the user, after the exporter's id. */
  warn(message: string): void;
  /** Ends the run cleanly. */
  stop(): void;
}

/**
 * A kind of exporter. A module that exports one can be named in a config: `module` is the module,
 * `export` the name, and `options` the settings.
 */
export interface ExporterType<Settings = unknown> {
  /** One word for messages. */
  readonly type: string;
  /**
   * Checks the settings and opens the destination before anything is captured.
   * @throws if the settings cannot work, with a message that says why
   */
  open(settings: Settings, context: ExporterContext): Promise<Exporter> | Exporter;
}
