/** One run: exporters opened, capture attached, sessions moved, everything closed. */
import { dirname, resolve } from "node:path";
import { Capture } from "./capture/capture.ts";
import type { Environment } from "./config/expand.ts";
import type { ExporterContext, Spans } from "./exporter.ts";
import { requireHost } from "./host.ts";
import { log } from "./log.ts";
import { countSessions } from "./messages.ts";
import { closeAll, pump } from "./pipeline.ts";
import { ExporterQueue } from "./queue/queue.ts";
import type { RunSettings } from "./settings.ts";
import type { SpanMapper } from "./span.ts";
import { type Health, HealthMonitor } from "./telemetry/health.ts";
import { describeLosses } from "./telemetry/losses.ts";
import { onReportRequest } from "./telemetry/on_request.ts";
import { report } from "./telemetry/report.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";

const STDOUT = 1;
const LAST_METRICS_MS = 1000;

/** What a run is told beside its settings. */
export interface RunContext {
  /** Relative paths in the config are relative to its folder. */
  readonly configFile: string | undefined;
  /** Milliseconds until a clean stop; undefined to run on. */
  readonly duration: number | undefined;
  readonly env: Environment;
}

/**
 * Captures until SIGINT, SIGTERM, the end of the duration, or the reader of stdout has gone.
 * @throws {UsageError} if an exporter cannot be opened, {@linkcode HostError} if capture cannot work
 */
export async function run(settings: RunSettings, context: RunContext): Promise<void> {
  const stop = new AbortController();
  using _signals = onSignals(() => stop.abort());
  let readHealth: (() => Health) | undefined;
  await using _report = onReportRequest(() => {
    if (readHealth === undefined) log.info("health: not tracing yet");
    else report(readHealth());
  });
  requireHost();
  let mapper: SpanMapper | undefined;
  const openSpans = async (): Promise<Spans> => {
    const { makeSpanMapper } = await import("./span_mapper.ts");
    const spans = mapper ??= makeSpanMapper(settings);
    return { toSpan: (session) => spans.toSpan(session), source: spans };
  };
  const queues: ExporterQueue[] = [];
  try {
    await openExporters(settings, context, openSpans, () => stop.abort(), queues);
    await using telemetry = await openTelemetry(settings, context);
    await using sessions = await Capture.open(
      { ...settings.capture, signal: stop.signal },
      settings.exporters.some(({ type }) => type.type === "stdout") ? STDOUT : undefined,
    );
    using health = new HealthMonitor(sessions, () => queues);
    readHealth = () => health.read();
    telemetry?.start(readHealth);
    using _timer = after(context.duration, () => stop.abort());
    await Promise.all(queues.map(({ exporter }) => exporter.start?.(stop.signal)));
    for (const path of sessions.missingCgroups) {
      log.warn(`capture.exclude_cgroups: there is no ${path} now; it is excluded once there is`);
    }
    log.info("tracing");
    await pump(sessions, queues, (batch) => {
      health.observe(batch);
      mapper?.observe(batch);
    });
    await telemetry?.close(LAST_METRICS_MS);
    summarise(settings, health.read());
  } finally {
    await closeAll(queues); // those of a run that failed
  }
}

/** Opens every exporter before anything is attached, so that a wrong path is told first. */
async function openExporters(
  settings: RunSettings,
  { configFile, env }: RunContext,
  openSpans: ExporterContext["openSpans"],
  stop: () => void,
  queues: ExporterQueue[],
): Promise<void> {
  const baseDirectory = folderOf(configFile);
  for (const { id, type, settings: own } of settings.exporters) {
    const warn = log.limited({ exporter: id });
    const exporter = await type.open(own, {
      id,
      baseDirectory,
      env,
      openSpans,
      warn: (message) => warn(`${id}: ${message}`),
      stop,
    });
    queues.push(new ExporterQueue(id, exporter, type.queue(own), warn));
  }
}

/** Opens what tells of the run's health; its packages are loaded where it is asked for. */
async function openTelemetry(
  { telemetry, resource }: RunSettings,
  { configFile, env }: RunContext,
): Promise<Telemetry | undefined> {
  if (telemetry === undefined) return undefined;
  const { Telemetry } = await import("./telemetry/telemetry.ts");
  return await Telemetry.open(telemetry, {
    baseDirectory: folderOf(configFile),
    env,
    resourceAttributes: resource.attributes,
  });
}

/** Where relative paths in the config begin. */
function folderOf(configFile: string | undefined): string {
  return configFile === undefined ? Deno.cwd() : dirname(resolve(configFile));
}

/** Calls `then` after `ms` milliseconds, where there is such a time, unless disposed of before. */
function after(ms: number | undefined, then: () => void): Disposable {
  const timer = ms === undefined ? undefined : setTimeout(then, ms);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

function onSignals(handler: () => void): Disposable {
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, handler);
  return {
    [Symbol.dispose]() {
      for (const signal of signals) Deno.removeSignalListener(signal, handler);
    },
  };
}

/** Losses are always told; deliveries where spans are sent. */
function summarise(settings: RunSettings, health: Health): void {
  const { captured, sampledOut, exporters } = health;
  if (settings.exporters.some(({ type }) => type.sendsSpans)) {
    const delivered = exporters.map(({ id, exported }) => `${id} ${exported}`).join(", ");
    log.info(`captured ${countSessions(captured)}; delivered: ${delivered}`, {
      sessions: captured,
    });
  }
  if (settings.capture.sampling !== undefined) {
    log.info(`sampled out ${sampledOut} of ${countSessions(sampledOut + captured)}`);
  }
  for (const { message, fields } of describeLosses(health)) log.warn(message, fields);
}
