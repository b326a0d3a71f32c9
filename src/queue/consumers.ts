/** The consumers of a queue: each has batches delivered, one after the other. */
import type { Clock } from "../clock.ts";
import type { QueueSettings } from "../exporter.ts";
import type { Delivery } from "./delivery.ts";
import type { SessionStore } from "./store.ts";

/** What {@linkcode Consumers} work with. */
export interface ConsumersOptions {
  readonly settings: QueueSettings;
  readonly store: SessionStore;
  readonly delivery: Delivery;
  readonly clock: Clock;
}

/** As many consumers as the settings name. One that has nothing to do waits until it is woken. */
export class Consumers {
  readonly #store: SessionStore;
  readonly #delivery: Delivery;
  readonly #clock: Clock;
  readonly #running = new Map<number, Promise<void>>();
  readonly #idle: (() => void)[] = []; // each wakes one
  #settings: QueueSettings;
  #endLinger: (() => void) | undefined; // of the one that waits for a batch to fill up
  #isStopping = false;

  constructor({ settings, store, delivery, clock }: ConsumersOptions) {
    this.#settings = settings;
    this.#store = store;
    this.#delivery = delivery;
    this.#clock = clock;
  }

  /** Has each take batches from now on. Those that run already go on. */
  start(): void {
    for (let i = 0; i < this.#settings.consumers; i++) {
      if (!this.#running.has(i)) this.#running.set(i, this.#run(i));
    }
  }

  /** Wakes one of them if it is time to take a batch: sessions have come. */
  wake(): void {
    if (this.#endLinger === undefined) this.#idle.shift()?.();
    else if (this.#store.length >= this.#enough) this.#endLinger();
  }

  /** Starts or ends consumers, as the settings name; each ends before its next batch. */
  useSettings(settings: QueueSettings): void {
    this.#settings = settings;
    this.#wakeAll();
    this.start();
  }

  /** Lets them take what waits, and ends them. Resolves when all have ended. */
  async end(): Promise<void> {
    this.#isStopping = true;
    this.#wakeAll();
    await Promise.all(this.#running.values());
  }

  #wakeAll(): void {
    this.#endLinger?.();
    for (const wake of this.#idle.splice(0)) wake();
  }

  async #run(index: number): Promise<void> {
    while (!this.#delivery.isLeaving && index < this.#settings.consumers) {
      if (this.#store.length === 0 || this.#endLinger !== undefined) {
        if (this.#isStopping) break;
        await new Promise<void>((resolve) => this.#idle.push(resolve));
        continue;
      }
      if (this.#store.length < this.#enough) await this.#linger();
      const taken = this.#store.take();
      if (this.#store.length > 0) this.#idle.shift()?.();
      if (taken === undefined) continue;
      await this.#delivery.deliver(taken);
      // the ring's reader has its turn here: a disk full of sessions must not delay it
      if (taken.onDisk !== undefined) await othersTurn();
    }
    this.#running.delete(index);
  }

  /** How many sessions end the wait for more: a batch, or half of what memory holds. */
  get #enough(): number {
    const { batchSize, queueSize, linger } = this.#settings;
    return linger === 0 || this.#isStopping ? 0 : Math.min(batchSize, queueSize / 2);
  }

  /** Waits for more sessions: until there are enough, until the time is over, or until the end. */
  #linger(): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        timer[Symbol.dispose]();
        this.#endLinger = undefined;
        resolve();
      };
      const timer = this.#clock.setTimeout(end, this.#settings.linger);
      this.#endLinger = end;
    });
  }
}

/** Resolves when other work that is due has been done. */
function othersTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
