/** One run: exporters opened, capture attached, sessions moved, everything closed. */
import { dirname, resolve } from "node:path";
import { onAbort, unlessAborted } from "../abort.ts";
import { Capture } from "../capture/capture.ts";
import type { Environment } from "../config/expand.ts";
import type { ExporterContext, Spans } from "../exporter.ts";
import { requireHost } from "../host.ts";
import { countSessions, say } from "../messages.ts";
import { closeAll, describeLosses, pump } from "../pipeline.ts";
import { ExporterQueue } from "../queue/queue.ts";
import type { RunSettings } from "../settings.ts";
import type { SpanMapper } from "../span.ts";
import { EndSignals } from "./signals.ts";

const STDOUT = 1;

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
  using end = new EndSignals();
  const stop = () => end.requestStop();
  requireHost();
  let mapper: SpanMapper | undefined;
  const openSpans = async (): Promise<Spans> => {
    const { makeSpanMapper } = await import("../span_mapper.ts");
    const spans = mapper ??= makeSpanMapper(settings);
    return { toSpan: (session) => spans.toSpan(session), source: spans };
  };
  const queues: ExporterQueue[] = [];
  const close = () => closeAll(queues, settings.shutdownTimeout, end.leave);
  try {
    // nothing to wait for: a module may take for ever to load, and nothing was captured yet
    await unlessAborted(openExporters(settings, context, openSpans, stop, queues), end.stop);
    await using sessions = await Capture.open(
      { ...settings.capture, signal: end.stop },
      settings.exporters.some(({ type }) => type.type === "stdout") ? STDOUT : undefined,
    );
    using _hurry = onAbort(end.leave, () => sessions.hurry());
    using _timer = after(context.duration, stop);
    await Promise.all(queues.map(({ exporter }) => exporter.start?.(end.stop)));
    for (const path of sessions.missingCgroups) {
      say(`capture.exclude_cgroups: there is no ${path} now; it is excluded once there is`);
    }
    say("tracing");
    const count = await pump(sessions, queues, (batch) => mapper?.observe(batch));
    await close(); // once the capture has stopped: each stage drains after the one before it
    summarise(settings, sessions, queues, count);
  } catch (error) {
    if (!end.stop.aborted || error !== end.stop.reason) throw error;
  } finally {
    await close(); // those of a run that failed
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
  const baseDirectory = configFile === undefined ? Deno.cwd() : dirname(resolve(configFile));
  for (const { id, type, settings: own } of settings.exporters) {
    const exporter = await type.open(own, {
      id,
      baseDirectory,
      env,
      openSpans,
      warn: (message) => say(`${id}: ${message}`),
      stop,
    });
    queues.push(new ExporterQueue(id, exporter, type.queue(own), say));
  }
}

/** Calls `then` after `ms` milliseconds, where there is such a time, unless disposed of before. */
function after(ms: number | undefined, then: () => void): Disposable {
  const timer = ms === undefined ? undefined : setTimeout(then, ms);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/** Losses are always told; deliveries where spans are sent. */
function summarise(
  settings: RunSettings,
  sessions: Capture,
  queues: readonly ExporterQueue[],
  count: number,
): void {
  if (settings.exporters.some(({ type }) => type.sendsSpans)) {
    const delivered = queues.map(({ id, counters }) => `${id} ${counters.exported}`).join(", ");
    say(`captured ${countSessions(count)}; delivered: ${delivered}`);
  }
  if (settings.capture.sampling !== undefined) {
    const { sampledOut } = sessions;
    say(`sampled out ${sampledOut} of ${countSessions(sampledOut + count)}`);
  }
  for (const loss of describeLosses(sessions, queues)) say(loss);
}
