/**
 * What an exporter is. A new one is a folder in `exporters/` that makes an {@linkcode ExporterType}
 * and a line in `exporters/registry.ts`.
 */
import type * as z from "../vendor/zod.js";
import type { SessionBatch } from "./session/batch.ts";
import type { SpanSource } from "./span/span_sink.ts";
import type { ResourceMetrics } from "../npm/opentelemetry/sdk_metrics.ts";

/** How one export ended, in the terms of the OTLP specification. */
export type ExportOutcome =
  /** Taken; `rejected` sessions were refused for good (OTLP partial success), `message` says why. */
  | { readonly status: "success"; readonly rejected?: number; readonly message?: string }
  /**
   * Not taken now; worth another try, after `retryAfterMs` milliseconds if that is given. The first
   * `done` sessions are not sent again: they were taken, but for `rejected` of them; `message` says
   * why.
   */
  | {
    readonly status: "retryable";
    readonly reason: string;
    readonly retryAfterMs?: number;
    readonly done?: number;
    readonly rejected?: number;
    readonly message?: string;
  }
  /**
   * Refused; another try would end the same way. `delivered` sessions were taken nevertheless. If
   * `unfinished` is given, one more was taken in part; it resolves once the rest is taken.
   */
  | {
    readonly status: "failure";
    readonly reason: string;
    readonly delivered?: number;
    readonly unfinished?: Promise<void> | undefined;
  };

/**
 * A destination of sessions. It is opened before capture starts, so that a wrong path or setting is
 * reported before anything is attached; it gets one batch at a time per consumer of its queue.
 */
export interface Exporter {
  /**
   * Where sessions go, as messages name it: a URL without what may be secret, a path, a module.
   * Undefined if that needs no words.
   */
  readonly destination?: string | undefined;
  /**
   * Whether an empty batch asks the destination whether it would take more, and does nothing else: a
   * run asks at its start, unless sessions come first.
   */
  readonly asksIfEmpty?: boolean;
  /**
   * Called once when every exporter is open and capture can start. `signal` aborts when the run
   * must end.
   */
  start?(signal: AbortSignal): Promise<void>;
  /**
   * Called at SIGHUP, before the config is read again: a file that was renamed or removed, as
   * logrotate does, must be replaced by a new one at once.
   */
  lookAnew?(): void;
  /**
   * Asked at SIGHUP: whether certificates and keys that it was opened with were renewed, so that it
   * must be opened again although its settings are the same. If the new ones cannot be used, it
   * warns.
   */
  isStale?(): Promise<boolean>;
  /**
   * Hands a batch to the destination. Resolves when it was taken or refused; if the promise
   * rejects, that counts as `failure`. `signal` aborts when shutdown has waited long enough. An
   * empty batch asks a server whether it would take more.
   */
  export(batch: SessionBatch, signal: AbortSignal): Promise<ExportOutcome>;
  /** Flushes and frees what the exporter holds. No call to `export` is under way or follows. */
  shutdown(): Promise<void>;
}

/** How the queue in front of an exporter works. Sizes count sessions, times are milliseconds. */
export interface QueueSettings {
  /** Sessions held in memory at most. */
  readonly queueSize: number;
  /** What is dropped, and counted, if there is no room. */
  readonly whenFull: WhenFull;
  /** Where sessions wait on disk; undefined for memory alone. */
  readonly storage?: StorageSettings | undefined;
  /** Exports under way at once. */
  readonly consumers: number;
  /** Sessions in one export at most. */
  readonly batchSize: number;
  /** How long the first session of a small batch waits for others. */
  readonly linger: number;
  /** How exports are tried again that may succeed later; undefined: not at all. */
  readonly retry: RetrySettings | undefined;
}

/** What a full queue drops: the new session, or those that have waited longest. */
export type WhenFull = "drop_newest" | "drop_oldest";

/** A queue's place on disk. */
export interface StorageSettings {
  /** The folder; relative ones are relative to the config file's. Each exporter has one below it. */
  readonly folder: string;
  /** Whether every session goes through the disk, not only what memory has no room for. */
  readonly persistent: boolean;
  /** Bytes that the exporter's part holds at most. */
  readonly maxBytes: number;
}

/** Exponential backoff with jitter. Times are milliseconds. */
export interface RetrySettings {
  /** Before the second try. */
  readonly initialInterval: number;
  /** Between two tries at most, unless the destination names a time. */
  readonly maxInterval: number;
  /** Time after which a batch is given up; 0: never. */
  readonly maxElapsedTime: number;
}

/** What an exporter works with. */
export interface ExporterContext {
  /** The exporter's id in the config: `type` or `type/name`. */
  readonly id: string;
  /** Folder that relative paths and module names in the config are relative to. */
  readonly baseDirectory: string;
  /** Reads an environment variable; an empty one counts as unset, as OpenTelemetry says. */
  readonly env: (name: string) => string | undefined;
  /** Loads what makes spans: one and the same for all exporters that ask. */
  readonly openSpans: () => Promise<SpanSource>;
  /** Whether a run has read its config again: then files that it wrote are not emptied. */
  readonly reloading: boolean;
  /** Warns the user; the exporter's id is put in front. */
  readonly warn: (message: string) => void;
  /** Ends the program cleanly, as when the reader of stdout has gone. */
  readonly stop: () => void;
}

/** A destination of tcpspan's own metrics. */
export interface MetricExporter {
  /** As {@linkcode Exporter.isStale}. */
  isStale?(): Promise<boolean>;
  /** As {@linkcode Exporter.export}; the `message` of a success must be shown. */
  export(metrics: ResourceMetrics, signal: AbortSignal): Promise<ExportOutcome>;
  shutdown(): Promise<void>;
}

/** What a {@linkcode MetricExporter} works with. */
export type MetricExporterContext = Pick<ExporterContext, "id" | "baseDirectory" | "env" | "warn">;

/** What {@linkcode ExporterType.check} works with. */
export type CheckContext = Pick<ExporterContext, "id" | "baseDirectory" | "env" | "warn">;

/** Flags of the command line that say how sessions are written. */
export type FormatFlag = "format" | "time" | "timestamp";

/**
 * A kind of exporter: its settings, and how to open one. Libraries are imported only when they are
 * needed: a run loads nothing of the types that it does not use, and no schema without a config.
 */
export interface ExporterType<Settings> {
  /** The part of the exporter's id before `/`. */
  readonly type: string;
  /**
   * What to write for names that other tools have, by these names in lower case, without hyphens:
   * `otlpgrpc: '"otlp" with protocol: grpc'`.
   */
  readonly otherNames?: Readonly<Record<string, string>>;
  /** One line for help texts. */
  readonly summary: string;
  /** Whether it sends spans, so that OTEL_SDK_DISABLED switches it off. */
  readonly sendsSpans: boolean;
  /** The settings of an exporter that no config names. */
  readonly defaults?: Settings;
  /** Value of OTEL_TRACES_EXPORTER that selects it, with its defaults. */
  readonly environmentName?: string;
  /** Variables of which each selects it too, if OTEL_TRACES_EXPORTER is not set. */
  readonly selectingVariables?: readonly string[];
  /** Flags that win over its settings of the same names. */
  readonly flags?: readonly FormatFlag[];
  /** Descriptor that it writes to: when its reader has gone, the run ends. */
  readonly output?: number;
  /** What selects it in place of the id's type: its settings have a key of this name. */
  readonly selectingKey?: {
    readonly name: string;
    /** What the key does, to put after its name: `that names a package`. */
    readonly meaning: string;
  };
  /** Loads the schema of the settings under the exporter's id in the config file. */
  loadSchema(): Promise<z.ZodType<Settings>>;
  /** Loads the lines of `config example` that show its settings, below `exporters:`. */
  loadExample(): Promise<string>;
  /** The queue in front of it. */
  queue(settings: Settings): QueueSettings;
  /** Path of the file that it writes, and nobody else may: its setting `path`. */
  file?(settings: Settings): string;
  /**
   * For `config check`: finds out what shows without opening, making or asking anything. The message
   * of an error names the key that is wrong.
   * @throws {UsageError} if the settings cannot work on this host
   */
  check?(settings: Settings, context: CheckContext): Promise<void>;
  /**
   * Opens the destination: creates files, loads modules; contacts no server.
   * @throws {UsageError} if the settings cannot work on this host
   */
  open(settings: Settings, context: ExporterContext): Promise<Exporter>;
  /**
   * For `doctor`: finds out whether the destination can be written to, and leaves everything as it
   * was. Without it, doctor opens the exporter and hands it an empty batch.
   * @throws {UsageError} if the settings cannot work on this host
   */
  probe?(settings: Settings, context: ExporterContext): Promise<void>;
  /**
   * Opens the same destination for tcpspan's own metrics, if it takes metrics.
   * @throws {UsageError} if the settings cannot work
   */
  openMetrics?(settings: Settings, context: MetricExporterContext): Promise<MetricExporter>;
}
