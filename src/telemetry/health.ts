/** How tcpspan itself is doing: what was seen, what was lost and where, what waits. */
import { bootTimeNs } from "../../ffi/clock.ts";
import type { SessionBatch } from "../session/batch.ts";
import type { CaptureLosses } from "../capture/capture.ts";
import type { ExporterQueue } from "../queue/queue.ts";
import { RECORD } from "../session/record_layout.ts";
import { RecentMaximum } from "./recent_maximum.ts";

/**
 * A reading of all counters, since the start. Here a session is counted once for each end that was
 * captured, and once more for each interim report.
 */
export interface Health {
  readonly uptimeSeconds: number;
  /** Sessions that came out of the ring and went to the queues. */
  readonly captured: number;
  readonly sampledOut: number;
  readonly losses: CaptureLosses;
  /** Bytes. */
  readonly ring: { readonly waiting: number; readonly size: number };
  /**
   * The longest time from a session's end to its arrival here, in the last minute or two. Measured
   * at the first session of each batch, which has waited longest.
   */
  readonly lagSeconds: number;
  /** Bytes of physical memory. */
  readonly memory: number;
  /** In the order of the config. */
  readonly exporters: readonly ExporterHealth[];
}

/** One exporter and its queue. Numbers of sessions, unless a field says otherwise. */
export interface ExporterHealth {
  readonly id: string;
  /** Those that wait now; exports under way not included. */
  readonly queued: number;
  /** Those that memory has room for; a disk may hold more. */
  readonly capacity: number;
  /** Those in exports that are under way, or wait for their next try. */
  readonly inFlight: number;
  /** Bytes on disk. */
  readonly diskBytes: number;
  /** Most bytes on disk; 0 if the queue is only in memory. */
  readonly diskLimit: number;
  /** Taken over from an earlier run. */
  readonly restored: number;
  /** Delivered. */
  readonly exported: number;
  /** Refused by a destination that took the others of their export. */
  readonly rejected: number;
  /** Refused with their whole export, or given up on. */
  readonly failed: number;
  /** Lost because the queue was full. */
  readonly dropped: number;
  /** Lost because what was on disk could not be read back, or was taken away. */
  readonly corrupt: number;
  /** Bytes that could not be read back, also if it is unknown how many sessions they held. */
  readonly corruptBytes: number;
  /** Tries after a first one, in exports, not sessions. */
  readonly retries: number;
}

/** The part of a capture that is read. */
export interface CaptureSource {
  losses(): CaptureLosses;
  readonly sampledOut: number;
  readonly ring: Health["ring"];
}

/** What became of the sessions meant for one exporter. */
export type QueueStats = Pick<
  ExporterQueue,
  "id" | "counters" | "length" | "capacity" | "inFlight" | "diskBytes" | "diskLimit"
>;

/**
 * Reads a run's health, and counts what passes. Disposing of it takes a last reading, which `read`
 * returns from then on: the capture may end then.
 */
export class HealthMonitor implements Disposable {
  readonly #began = performance.now();
  readonly #lag = new RecentMaximum();
  #captured = 0;
  #last: Health | undefined;

  constructor(
    private readonly capture: CaptureSource,
    private readonly exporters: { readonly stats: readonly QueueStats[] },
  ) {}

  /** Sees each batch as it arrives. */
  observe(batch: SessionBatch): void {
    this.#captured += batch.length;
    const { buffer, byteOffset } = batch.bytes;
    const end = new DataView(buffer, byteOffset).getBigUint64(RECORD.end_ns, true);
    this.#lag.add(Number(bootTimeNs() - end) / 1e9);
  }

  read(): Health {
    if (this.#last !== undefined) return this.#last;
    const { capture } = this;
    return {
      uptimeSeconds: (performance.now() - this.#began) / 1000,
      captured: this.#captured,
      sampledOut: capture.sampledOut,
      losses: capture.losses(),
      ring: capture.ring,
      lagSeconds: this.#lag.value,
      memory: Deno.memoryUsage().rss,
      exporters: this.exporters.stats.map(exporterHealth),
    };
  }

  [Symbol.dispose](): void {
    this.#last = this.read();
  }
}

function exporterHealth(stats: QueueStats): ExporterHealth {
  const { restored, exported, rejected, failed, dropped, corrupt, corruptBytes, retries } =
    stats.counters;
  return {
    id: stats.id,
    queued: stats.length,
    capacity: stats.capacity,
    inFlight: stats.inFlight,
    diskBytes: stats.diskBytes,
    diskLimit: stats.diskLimit,
    restored,
    exported,
    rejected,
    failed: failed - rejected,
    dropped,
    corrupt,
    corruptBytes,
    retries,
  };
}
