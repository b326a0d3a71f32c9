/** One run: exporters opened, capture attached, sessions moved, everything closed. */
import { dirname, resolve } from "node:path";
import { Capture } from "./capture/capture.ts";
import type { Environment } from "./config/expand.ts";
import type { ExporterContext, Spans } from "./exporter.ts";
import { requireHost } from "./host.ts";
import { countSessions, say } from "./messages.ts";
import { closeAll, describeLosses, pump } from "./pipeline.ts";
import { openQueue } from "./queue/open_queue.ts";
import type { ExporterQueue } from "./queue/queue.ts";
import type { RunSettings } from "./settings.ts";
import type { SpanMapper } from "./span.ts";

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
  const stop = new AbortController();
  using _signals = onSignals(() => stop.abort());
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
    await using sessions = await Capture.open(
      { ...settings.capture, signal: stop.signal },
      settings.exporters.some(({ type }) => type.type === "stdout") ? STDOUT : undefined,
    );
    using _timer = after(context.duration, () => stop.abort());
    await Promise.all(queues.map(({ exporter }) => exporter.start?.(stop.signal)));
    for (const path of sessions.missingCgroups) {
      say(`capture.exclude_cgroups: there is no ${path} now; it is excluded once there is`);
    }
    say("tracing");
    const count = await pump(sessions, queues, (batch) => mapper?.observe(batch));
    summarise(settings, sessions, queues, count);
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
    const options = { id, exporter, settings: type.queue(own), warn: say };
    queues.push(await openQueue({ ...options, baseDirectory }));
  }
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
  for (const { id, length } of queues) {
    if (length > 0) say(`${id} keeps ${countSessions(length)} on disk`);
  }
  for (const loss of describeLosses(sessions, queues)) say(loss);
}
