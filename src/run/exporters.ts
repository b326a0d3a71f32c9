/** The exporters of a run: opened, replaced while it runs, closed. */
import { unlessAborted } from "../abort.ts";
import type { ConfiguredExporter } from "../config/load.ts";
import type { Exporter, ExporterContext, QueueSettings } from "../exporter.ts";
import { requireOwnExecutable } from "../host/own_executable.ts";
import { messageOf, UsageError } from "../messages/errors.ts";
import { log, type Warn } from "../messages/log.ts";
import { linesOf } from "../messages/printable.ts";
import { closeAll } from "./pipeline.ts";
import type { QueueStats } from "../telemetry/health.ts";
import { openQueue } from "../queue/open.ts";
import type { ExporterQueue } from "../queue/queue.ts";
import type { RunSettings } from "./settings.ts";
import { withoutSecrets } from "../messages/secrets.ts";
import type { SpanMapper } from "../span/span_mapper.ts";
import type { Changes, RunningExporter } from "./changes.ts";
import { addStats } from "./queue_stats.ts";

/** What all exporters of a run share. */
export type SharedContext = Pick<ExporterContext, "baseDirectory" | "env" | "stop">;

interface Running extends RunningExporter {
  readonly exporter: Exporter;
  readonly queue: ExporterQueue;
}

interface Opened extends Running {
  /** Whether it takes over the queue of the exporter that it replaces. */
  readonly takesOver: boolean;
}

/** An exporter, and where it sends; nothing for an exporter whose rows show where they go. */
export interface Destination {
  readonly exporter: string;
  readonly destination?: string;
}

/** Open exporters that get no sessions before `use`. */
export interface OpenedExporters {
  readonly settings: RunSettings;
  readonly opened: readonly Opened[];
  readonly spans: LazyMapper;
}

/** The span mapper for a run's settings, loaded when an exporter first asks for it. */
class LazyMapper {
  mapper: SpanMapper | undefined;

  constructor(private readonly settings: RunSettings) {}

  async open(): Promise<SpanMapper> {
    requireOwnExecutable();
    const { openSpans } = await import("../span/open_spans.ts");
    const { resource, trace, capture: { sampling } } = this.settings;
    return this.mapper ??= openSpans({ resource, trace, sampling });
  }
}

/** The exporters of a run, each behind a queue of its own. */
export class Exporters {
  readonly #context: SharedContext;
  readonly #leave: AbortSignal;
  #running: readonly Running[] = [];
  #queues: readonly ExporterQueue[] = [];
  #spans: LazyMapper;
  /** Queues that get no more sessions, while they drain. */
  readonly #draining = new Map<ExporterQueue, Promise<void>>();
  /** Shutdowns of exporters that were replaced. */
  readonly #ending = new Set<Promise<void>>();
  /** Counts of the queues that have drained, by id; an id may have had several. */
  readonly #past = new Map<string, QueueStats>();

  /**
   * @param settings the run's first settings
   * @param leave aborts when the run must wait for nothing any more
   */
  constructor(settings: RunSettings, context: SharedContext, leave: AbortSignal) {
    this.#spans = new LazyMapper(settings);
    this.#context = context;
    this.#leave = leave;
  }

  get running(): readonly RunningExporter[] {
    return this.#running;
  }

  /** Where sessions go now. */
  get queues(): readonly ExporterQueue[] {
    return this.#queues;
  }

  /** The span mapper, if an exporter has asked for it. */
  get mapper(): SpanMapper | undefined {
    return this.#spans.mapper;
  }

  /** All that sessions go to, with the words for where that is. */
  get destinations(): readonly Destination[] {
    return this.#running.map(({ configured: { id }, exporter: { destination } }) => ({
      exporter: id,
      ...(destination === undefined ? {} : { destination: withoutSecrets(destination) }),
    }));
  }

  /** Why the exporter `id` could deliver nothing when it was tried last, if that was so. */
  failureOf(id: string): string | undefined {
    return find(this.#running, id)?.queue.failure;
  }

  /** What became of the sessions until now, by exporter, removed ones included. */
  get stats(): readonly QueueStats[] {
    const stats = new Map<string, QueueStats>();
    const all = [...this.#queues, ...this.#draining.keys(), ...this.#past.values()];
    for (const part of all) {
      const newer = stats.get(part.id);
      stats.set(part.id, newer === undefined ? part : addStats(newer, part));
    }
    return [...stats.values()];
  }

  /**
   * Opens the exporters of `settings`, except those that are kept. All or none: if one fails,
   * the others are shut down again.
   * @param changes from the current settings; undefined at the start of the run
   * @throws {UsageError} if one cannot be opened
   */
  async open(settings: RunSettings, changes?: Changes): Promise<OpenedExporters> {
    const spans = changes?.spans ? new LazyMapper(settings) : this.#spans;
    const opened: Opened[] = [];
    try {
      for (const configured of settings.exporters) {
        if (changes?.exporters.get(configured.id) === "kept") continue;
        opened.push(await this.#open(configured, spans, changes !== undefined));
      }
    } catch (error) {
      await this.discard({ settings, opened, spans });
      throw error;
    }
    return { settings, opened, spans };
  }

  /** Starts what was opened: sessions can come. @param stop aborts when the run must end */
  async start({ opened }: OpenedExporters, stop: AbortSignal): Promise<void> {
    await Promise.all(opened.map(async ({ exporter, queue }) => {
      await exporter.start?.(stop);
      queue.start();
    }));
  }

  /** Shuts down what was opened but will not be used. */
  async discard({ settings, opened }: OpenedExporters): Promise<void> {
    const { shutdownTimeout } = settings;
    const own = opened.filter(({ takesOver }) => !takesOver).map(({ queue }) => queue);
    const signal = this.#within(shutdownTimeout);
    await Promise.all([
      closeAll(own, shutdownTimeout, this.#leave),
      ...opened.filter(({ takesOver }) => takesOver).map(async ({ configured, exporter }) => {
        try {
          await unlessAborted(exporter.shutdown(), signal);
        } catch (error) {
          log.warn(linesOf(`${configured.id}: cannot shut down: ${messageOf(error)}`));
        }
      }),
    ]);
    for (const queue of own) {
      if (queue.counters.restored === 0) continue;
      this.#takeOver(queue);
      this.#remember(queue); // it may have delivered some
    }
  }

  /**
   * Uses what was opened, and what its settings keep. Exporters that the settings no longer name
   * drain in the background; a reopened exporter takes over what waited for the one before it.
   */
  use({ settings, opened, spans }: OpenedExporters): void {
    this.#spans = spans;
    const before = this.#running;
    this.#running = settings.exporters.flatMap(({ id }) =>
      find(opened, id) ?? find(before, id) ?? []
    );
    this.#queues = this.#running.map(({ queue }) => queue);
    for (const { configured, exporter, queue, takesOver } of opened) {
      if (takesOver) {
        this.#await(queue.replace(exporter, configured.type.queue(configured.settings)));
      } else this.#takeOver(queue);
    }
    for (const { queue } of before) {
      if (!this.#queues.includes(queue)) this.#drain(queue, settings.shutdownTimeout);
    }
  }

  /** Makes each exporter check whether its files were renamed or removed. */
  lookAnew(): void {
    for (const { exporter } of this.#running) exporter.lookAnew?.();
  }

  /** Ids of exporters whose certificates were renewed. */
  async stale(): Promise<ReadonlySet<string>> {
    const ids = await Promise.all(
      this.#running.map(async ({ configured: { id }, exporter }) =>
        await exporter.isStale?.() ? [id] : []
      ),
    );
    return new Set(ids.flat());
  }

  /** Delivers what waits, and shuts all down. Closing again changes nothing. */
  async close(timeoutMs: number): Promise<void> {
    await closeAll([...this.#queues, ...this.#draining.keys()], timeoutMs, this.#leave);
    await Promise.all(this.#draining.values());
    try {
      await unlessAborted(Promise.all(this.#ending), this.#within(timeoutMs));
    } catch {
      // exporters that were replaced long ago and do not shut down
    }
  }

  async #open(
    configured: ConfiguredExporter,
    spans: LazyMapper,
    reloading: boolean,
  ): Promise<Opened> {
    const { id, type, settings } = configured;
    const queueSettings = type.queue(settings);
    const running = find(this.#running, id);
    if (running?.queue.canTake(queueSettings) === false) {
      throw new UsageError(
        `exporters.${id}.sending_queue: its place on disk cannot change while the exporter runs: ` +
          "start tcpspan again, or give the exporter another name",
      );
    }
    if (type.output === undefined) requireOwnExecutable();
    const warn = log.limited({ exporter: id });
    let usesSpans = false;
    const exporter = await type.open(settings, {
      ...this.#context,
      id,
      reloading,
      openSpans: () => {
        usesSpans = true;
        return spans.open();
      },
      warn: (message) => warn(`${id}: ${message}`),
    });
    const queue = running?.queue ?? await this.#openQueue(id, exporter, queueSettings, warn);
    return { configured, exporter, usesSpans, queue, takesOver: running !== undefined };
  }

  async #openQueue(
    id: string,
    exporter: Exporter,
    settings: QueueSettings,
    warn: Warn,
  ): Promise<ExporterQueue> {
    const { baseDirectory } = this.#context;
    if (settings.storage !== undefined) await this.#drained(id); // it still has the folder
    const inform: Warn = (message, fields) => log.info(message, { exporter: id, ...fields });
    return await openQueue({ id, exporter, settings, warn, inform, baseDirectory });
  }

  /** Sessions that an earlier queue left on disk and this one restored count only in this one. */
  #takeOver({ id, counters }: ExporterQueue): void {
    const past = this.#past.get(id);
    if (past === undefined) return;
    const sessions = Math.min(past.length, counters.restored);
    this.#past.set(id, {
      ...past,
      counters: { ...past.counters, restored: past.counters.restored - sessions },
      length: past.length - sessions,
      diskBytes: sessions < past.length ? past.diskBytes : 0,
    });
  }

  /** Resolves once no queue of exporter `id` is draining. */
  async #drained(id: string): Promise<void> {
    for (const [queue, drained] of this.#draining) if (queue.id === id) await drained;
  }

  #within(timeoutMs: number): AbortSignal {
    return AbortSignal.any([this.#leave, AbortSignal.timeout(timeoutMs)]);
  }

  #drain(queue: ExporterQueue, timeoutMs: number): void {
    const drained = queue.close(timeoutMs).then(() => {
      this.#draining.delete(queue);
      this.#remember(queue);
    });
    this.#draining.set(queue, drained);
  }

  /** Keeps the counts of a closed queue. */
  #remember(queue: ExporterQueue): void {
    this.#past.set(queue.id, addStats(queue, this.#past.get(queue.id)));
  }

  #await(end: Promise<void>): void {
    const ended = end.finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }
}

function find<One extends RunningExporter>(all: readonly One[], id: string): One | undefined {
  return all.find(({ configured }) => configured.id === id);
}
