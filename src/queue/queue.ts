/**
 * The bounded queue in front of an exporter: a slow or dead one never delays the ring, other
 * exporters or shutdown.
 *
 *     push ─▶ SessionStore ─▶ Consumers ─▶ Delivery ─▶ Destination ─▶ exporter
 *             memory, disk    wait for     one batch,        │
 *               │      ▲      a batch      until done        ▼
 *               ▼      │                    │  ▲  ▲       outcome
 *            dropped   └── left on disk ◀───┘  │  │          │
 *                                              │  └─ retry ◀─┤
 *                                              └──── done ◀──┴─▶ exported, rejected, failed
 *
 * - Every session is accounted for, at any moment: `accepted + restored` is what was exported, failed,
 *   dropped or corrupt, and what waits or is in flight.
 * - `push` never waits, and copies: the batch is the caller's again when it returns. What has no room
 *   is dropped, and counted.
 * - Sessions are taken in the order in which they came, in memory and on disk each; if they wait in
 *   both, in turn. Several consumers, and retries, may deliver them in another order.
 * - The store owns the memory of batches. From `take` until `done` a batch's memory is the delivery's;
 *   then it is used again, so an exporter must not read a batch after its export has ended.
 * - `replace` loses nothing, and no batch is in two exports at once: one that is under way ends at the
 *   old exporter, and has its next try at the new one. The old one is shut down after its last
 *   export.
 * - `close` ends within its time, whatever the exporter does. What is not delivered by then stays on
 *   disk; without a place there it has failed. A destination that was busy when it was tried last is
 *   not tried again if sessions can stay on disk.
 */
import { type Clock, systemClock } from "../clock.ts";
import type { Exporter, QueueSettings } from "../exporter.ts";
import type { Warn } from "../messages/log.ts";
import type { SessionBatch } from "../session/batch.ts";
import type { BatchMemory } from "./batch_memory.ts";
import { Consumers } from "./consumers.ts";
import { newCounters, type QueueCounters } from "./counters.ts";
import { Delivery } from "./delivery.ts";
import { Destination } from "./destination.ts";
import { QueueNotices } from "./notices.ts";
import { Outcomes } from "./outcome.ts";
import type { Spool } from "./spool/spool.ts";
import { batchMemory, SessionStore } from "./store.ts";

const LAST_ANSWER_MS = 1000; // for exports under way to a dead destination, if the rest is kept
const LATE = new Error("no time was left");

/** A queue's place on disk, opened. */
export interface OpenStorage {
  readonly spool: Spool;
  readonly memory: BatchMemory;
  readonly counters: QueueCounters;
}

/** Hands batches to one exporter. A queue with storage is opened by `openQueue`. */
export class ExporterQueue {
  readonly counters: QueueCounters;
  readonly #notices: QueueNotices;
  readonly #store: SessionStore;
  readonly #outcomes: Outcomes;
  readonly #delivery: Delivery;
  readonly #consumers: Consumers;
  readonly #clock: Clock;
  readonly #deadline = new AbortController(); // cuts short shutdowns
  readonly #retired = new Set<Promise<void>>(); // exporters that were replaced
  #settings: QueueSettings;
  #hasStarted = false;
  #closing: Promise<void> | undefined;

  /**
   * @param id the exporter's, for messages
   * @param warn takes a message to the user
   * @param inform takes one that is not a warning
   */
  constructor(
    readonly id: string,
    exporter: Exporter,
    settings: QueueSettings,
    warn: Warn,
    storage?: OpenStorage,
    clock: Clock = systemClock,
    inform: Warn = () => {},
  ) {
    const counters = this.counters = storage?.counters ?? newCounters();
    const notices = this.#notices = new QueueNotices(id, warn, inform, clock);
    const memory = storage?.memory ?? batchMemory(settings);
    const spool = storage?.spool;
    const store = this.#store = new SessionStore({ settings, spool, memory, counters, notices });
    const outcomes = this.#outcomes = new Outcomes(counters, notices);
    const destination = new Destination(exporter);
    const delivery = this.#delivery = new Delivery({
      destination,
      settings,
      store,
      outcomes,
      counters,
      notices,
      clock,
    });
    this.#settings = settings;
    this.#clock = clock;
    this.#consumers = new Consumers({ settings, store, delivery, clock });
  }

  /** Where sessions go now. */
  get exporter(): Exporter {
    return this.#delivery.destination.exporter;
  }

  /** Why the destination took nothing when it was tried last; undefined if it did, or was not tried. */
  get failure(): string | undefined {
    return this.#outcomes.failure;
  }

  /** Sessions that wait, in memory and on disk. After `close`, those that are kept. */
  get length(): number {
    return this.#store.length;
  }

  /** Sessions that it has room for in memory. */
  get capacity(): number {
    return this.#settings.queueSize;
  }

  /** Sessions in exports that are under way, wait for their next try, or were taken in part. */
  get inFlight(): number {
    return this.#delivery.inFlight + this.#outcomes.unfinished;
  }

  /** Size of the queue's part on disk. */
  get diskBytes(): number {
    return this.#store.diskBytes;
  }

  /** Most bytes that this part may have; 0 if the queue has no place on disk. */
  get diskLimit(): number {
    return this.#settings.storage?.maxBytes ?? 0;
  }

  /**
   * Begins to deliver, also what an earlier run left on disk: the exporter can take sessions. Until
   * then they wait. Nothing happens if it has begun.
   */
  start(): void {
    if (this.#hasStarted) return;
    this.#hasStarted = true;
    this.#consumers.start();
    void this.#delivery.ask();
  }

  /** Takes as many sessions as fit; they are copied. */
  push(batch: SessionBatch): void {
    this.counters.accepted += batch.length;
    this.#store.push(batch);
    this.#consumers.wake();
  }

  /**
   * Whether the queue can continue with other settings. If not, because their place on disk is another
   * one, close it and open a new queue.
   */
  canTake({ storage }: QueueSettings): boolean {
    const own = this.#settings.storage;
    return storage?.folder === own?.folder && storage?.persistent === own?.persistent &&
      storage?.maxBytes === own?.maxBytes;
  }

  /**
   * Delivers to another exporter, which is started already, or to the same one under other settings:
   * from the next try of each batch on, which is due at once. What waits is kept. Resolves when the old
   * exporter has ended its exports and is shut down. Do not call after `close`.
   * @throws {RangeError} unless `canTake(settings)`
   */
  async replace(exporter: Exporter, settings: QueueSettings): Promise<void> {
    if (!this.canTake(settings)) {
      throw new RangeError(`cannot change the settings of ${this.id}: its place on disk differs`);
    }
    const before = this.#delivery.destination;
    const isSame = exporter === before.exporter; // and only its settings are new
    this.#settings = settings;
    this.#store.useSettings(settings);
    this.#outcomes.forget();
    this.#delivery.replace(isSame ? before : new Destination(exporter), settings);
    this.#consumers.useSettings(settings);
    if (isSame) return;
    void this.#delivery.ask();
    const retired = this.#shutDown(before);
    this.#retired.add(retired);
    await retired;
    this.#retired.delete(retired);
  }

  /**
   * Delivers what waits, then shuts the exporter down. What is not delivered after `timeoutMs`
   * milliseconds stays on disk; without a place there it counts as failed. Push nothing
   * afterwards. Closing again with 0 ends what is under way at once.
   */
  close(timeoutMs: number): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    if (timeoutMs === 0) {
      this.#delivery.abort(LATE);
      this.#deadline.abort(LATE);
    }
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<void> {
    const isDead = this.#outcomes.isFailing && this.#store.isOnDisk;
    const exportsMs = isDead ? Math.min(timeoutMs, LAST_ANSWER_MS) : timeoutMs;
    using _exports = this.#clock.setTimeout(() => this.#delivery.abort(LATE), exportsMs);
    using _all = this.#clock.setTimeout(() => this.#deadline.abort(LATE), timeoutMs);
    this.#delivery.stop(isDead);
    await this.#consumers.end();
    await this.#store.close();
    await Promise.all([this.#shutDown(this.#delivery.destination), ...this.#retired]);
    this.#outcomes.close();
  }

  async #shutDown(destination: Destination): Promise<void> {
    try {
      await destination.shutDown(this.#deadline.signal);
    } catch (error) {
      this.#notices.cannotShutDown(error);
    }
  }
}
