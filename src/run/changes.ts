/** What a config that is read again changes. */
import { isDeepStrictEqual } from "node:util";
import type { ConfiguredExporter } from "../config/load.ts";
import type { RunSettings } from "./settings.ts";

/** A running exporter. */
export interface RunningExporter {
  readonly configured: ConfiguredExporter;
  /** Whether it makes spans, so that it must be reopened if they change. */
  readonly usesSpans: boolean;
}

/** What happens to an exporter. `reopened`: same settings, but spans or certificates changed. */
export type ExporterChange = "kept" | "added" | "changed" | "reopened" | "removed";

/** How new settings differ from those of a run. */
export interface Changes {
  readonly capture: boolean;
  /** What spans are made from: resource, trace, and sampling. */
  readonly spans: boolean;
  /** Also if its resource, its exporter, or that exporter's certificates changed. */
  readonly telemetry: boolean;
  /** Parts of the config outside of capture and exporters that differ, under their keys there. */
  readonly sections: readonly string[];
  /** By the exporters' ids. */
  readonly exporters: ReadonlyMap<string, ExporterChange>;
}

/** Settings that a running tcpspan cannot change, with their keys in the config. */
const FIXED: readonly [key: string, select: (settings: RunSettings) => unknown][] = [
  ["drop_privileges", ({ dropPrivileges }) => dropPrivileges],
  ["capture.pin", ({ capture }) => capture.pin],
];

/** `next`, but with the fixed settings of `old`; and the keys of those that differ. */
export function keepFixed(
  old: RunSettings,
  next: RunSettings,
): { readonly settings: RunSettings; readonly fixed: readonly string[] } {
  const { dropPrivileges } = old;
  const differing = FIXED.filter(([, select]) => !isDeepStrictEqual(select(old), select(next)));
  const fixed = differing.map(([key]) => key);
  let capture = { ...next.capture, pin: old.capture.pin };
  if (dropPrivileges && !isDeepStrictEqual(capture, old.capture)) { // no program can be loaded
    fixed.push("capture and sampling (because of drop_privileges)");
    capture = old.capture;
  }
  return { settings: { ...next, dropPrivileges, capture }, fixed };
}

/** What was opened with certificates that have been renewed since. */
export interface Stale {
  /** Ids of exporters. */
  readonly exporters: ReadonlySet<string>;
  readonly telemetry: boolean;
}

/** Compares the settings of a run, and its exporters, with the next settings. */
export function compareSettings(
  old: RunSettings,
  running: readonly RunningExporter[],
  next: RunSettings,
  stale: Stale,
): Changes {
  const differs = (select: (settings: RunSettings) => unknown) =>
    !isDeepStrictEqual(select(old), select(next));
  const telemetry = differs(({ telemetry }) => telemetry);
  const sections = [
    ...(differs(({ resource }) => resource) ? ["resource"] : []),
    ...(differs(({ trace }) => trace) ? ["trace"] : []),
    ...(telemetry ? ["telemetry"] : []),
    ...(differs(({ shutdownTimeout }) => shutdownTimeout) ? ["shutdown_timeout"] : []),
  ];
  const spans = sections.includes("resource") || sections.includes("trace") ||
    differs(({ capture }) => capture.sampling);
  const exporters = new Map<string, ExporterChange>();
  for (const configured of next.exporters) {
    const before = running.find((exporter) => exporter.configured.id === configured.id);
    exporters.set(
      configured.id,
      changeOf(before, configured, spans, stale.exporters.has(configured.id)),
    );
  }
  for (const { configured: { id } } of running) {
    if (!exporters.has(id)) exporters.set(id, "removed");
  }
  return {
    capture: differs(({ capture }) => capture),
    spans,
    telemetry: telemetry || stale.telemetry ||
      next.telemetry !== undefined && differs(({ resource }) => resource.attributes),
    sections,
    exporters,
  };
}

/** In words for the user: `otlp/a changed, file removed, capture unchanged`. */
export function describeChanges({ capture, telemetry, sections, exporters }: Changes): string {
  return [
    ...[...exporters].filter(([, change]) => change !== "kept").map(([id, change]) =>
      `${id} ${change}`
    ),
    ...(telemetry && !sections.includes("telemetry") ? ["telemetry reopened"] : []),
    ...sections.map((section) => `${section} changed`),
    `capture ${capture ? "changed" : "unchanged"}`,
  ].join(", ");
}

function changeOf(
  before: RunningExporter | undefined,
  { type, settings }: ConfiguredExporter,
  spans: boolean,
  isStale: boolean,
): ExporterChange {
  if (before === undefined) return "added";
  const same = before.configured.type === type &&
    isDeepStrictEqual(before.configured.settings, settings);
  if (!same) return "changed";
  return spans && before.usesSpans || isStale ? "reopened" : "kept";
}
