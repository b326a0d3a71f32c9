/** Readings of health made up for tests. */
import type { ExporterHealth, Health } from "../src/telemetry/health.ts";

/** An exporter that has done nothing yet. */
export function makeExporterHealth(health: Partial<ExporterHealth> = {}): ExporterHealth {
  return {
    id: "otlp",
    queued: 0,
    capacity: 1000,
    inFlight: 0,
    diskBytes: 0,
    diskLimit: 0,
    restored: 0,
    exported: 0,
    rejected: 0,
    failed: 0,
    dropped: 0,
    corrupt: 0,
    corruptBytes: 0,
    retries: 0,
    ...health,
  };
}

/** Each number a different one. */
export const HEALTH: Health = {
  uptimeSeconds: 61.25,
  captured: 101,
  sampledOut: 102,
  losses: { ringFull: 1, storageFailed: 2, overCap: 3, unseen: 4, skippedRuns: 5 },
  ring: { waiting: 2048, size: 16 * 2 ** 20 },
  lagSeconds: 0.125,
  memory: 100 * 2 ** 20,
  exporters: [
    makeExporterHealth({ id: "stdout", exported: 90, dropped: 6 }),
    makeExporterHealth({
      id: "otlp/a",
      queued: 7,
      inFlight: 14,
      diskBytes: 1000,
      diskLimit: 2 ** 20,
      restored: 8,
      exported: 80,
      rejected: 9,
      failed: 10,
      dropped: 11,
      corrupt: 12,
      corruptBytes: 15,
      retries: 13,
    }),
  ],
};
