/** How much of the time goes into scans of what the kernel shows of the host. */

const MOST_SCANNING = 0.05; // of the time, while processes, cgroups or namespaces come and go
const BURST_MS = 50; // several services or containers may begin or end at once

/** Scans may take a 20th of the time. Those that share a budget take it together. */
export class ScanBudget {
  readonly #burstMs: number;
  #creditMs: number; // for which scans may run now
  #credited = performance.now();

  /** @param burstMs of scanning, in milliseconds, if there was none for a while */
  constructor(burstMs = BURST_MS) {
    this.#burstMs = this.#creditMs = burstMs;
  }

  /** Whether a scan may begin. */
  get allows(): boolean {
    const now = performance.now();
    const earned = (now - this.#credited) * MOST_SCANNING;
    this.#creditMs = Math.min(this.#burstMs, this.#creditMs + earned);
    this.#credited = now;
    return this.#creditMs >= 0;
  }

  /** Scans, however long it takes. @returns when it ended, by `performance.now()` */
  spend(scan: () => void): number {
    const began = performance.now();
    scan();
    const ended = performance.now();
    this.#creditMs -= ended - began;
    return ended;
  }
}
