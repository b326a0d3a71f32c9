/** The report that SIGUSR2 asks for. */
import { log } from "../messages/log.ts";
import { countSessions } from "../messages/words.ts";
import type { ExporterHealth, Health } from "./health.ts";

/** Writes the health: lines for people, an object with all of it for machines. */
export function report(health: Health): void {
  log.report("health", reportLines(health), { health });
}

/** The report as people read it. */
export function reportLines(health: Health): string[] {
  const { losses, ring, exporters } = health;
  const rows: [name: string, value: string][] = [
    ["uptime", `${health.uptimeSeconds.toFixed(0)} s`],
    ["captured", countSessions(health.captured)],
    ["sampled out", countSessions(health.sampledOut)],
    [
      "lost",
      `ring full ${losses.ringFull}, storage failed ${losses.storageFailed}, ` +
      `over the cap ${losses.overCap}, unseen ${losses.unseen}`,
    ],
    ["skipped runs", `${losses.skippedRuns}`],
    ["ring", `${bytes(ring.waiting)} of ${bytes(ring.size)} wait`],
    ["lag", `${(health.lagSeconds * 1000).toFixed(0)} ms at most, in the last minute or two`],
    ["memory", bytes(health.memory)],
    ...exporters.map((exporter): [string, string] => [
      exporter.id,
      [
        describeQueue(exporter),
        `in flight ${exporter.inFlight}`,
        ...exporter.restored === 0 ? [] : [`restored ${exporter.restored}`],
        `exported ${exporter.exported}`,
        `rejected ${exporter.rejected}`,
        `not delivered ${exporter.failed}`,
        `queue full ${exporter.dropped}`,
        ...exporter.corrupt === 0 && exporter.corruptBytes === 0 // one may be 0: a file is gone, say
          ? []
          : [`corrupt ${exporter.corrupt} (${bytes(exporter.corruptBytes)})`],
        `retries ${exporter.retries}`,
      ].join(", "),
    ]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`);
}

function describeQueue({ queued, capacity, diskBytes, diskLimit }: ExporterHealth): string {
  if (diskLimit === 0) return `queued ${queued} of ${capacity}`;
  return `queued ${queued} (in memory at most ${capacity}, ` +
    `on disk ${bytes(diskBytes)} of ${bytes(diskLimit)})`;
}

function bytes(count: number): string {
  if (count < 2 ** 10) return `${count} B`;
  return count < 2 ** 20
    ? `${(count / 2 ** 10).toFixed(1)} KiB`
    : `${(count / 2 ** 20).toFixed(1)} MiB`;
}
