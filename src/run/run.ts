/** One run: exporters opened, capture attached, sessions moved, everything closed. */
import { dirname, resolve } from "node:path";
import { onAbort, unlessAborted } from "../abort.ts";
import { DAC_READ_SEARCH, missingCapabilities, SYS_PTRACE } from "../host/capabilities.ts";
import { Capture } from "../capture/capture.ts";
import type { Environment } from "../config/expand.ts";
import { requireHost } from "../capture/requirements.ts";
import { readMounts } from "../host/mounts.ts";
import { WITHOUT_PROC } from "../host/process_visibility.ts";
import { log } from "../messages/log.ts";
import { countSessions } from "../messages/words.ts";
import { pump } from "./pipeline.ts";
import type { RunSettings } from "./settings.ts";
import { type Health, HealthMonitor } from "../telemetry/health.ts";
import { describeLosses } from "../telemetry/losses.ts";
import { report } from "../telemetry/report.ts";
import { type Destination, Exporters } from "./exporters.ts";
import { Metrics } from "./metrics.ts";
import { warnOfOmissions } from "./omissions.ts";
import { outputOf } from "./output.ts";
import { Reloader } from "./reload.ts";
import { EndSignals, onSignal } from "./signals.ts";
import type { StandingSignals } from "./standing_signals.ts";

/** What a run needs besides its settings. */
export interface RunContext {
  /** Relative paths in the config are relative to its folder. */
  readonly configFile: string | undefined;
  /** Reads the config file again, with the same flags. @throws {UsageError} if it is wrong */
  readonly readSettings: () => Promise<RunSettings>;
  /** Milliseconds until a clean stop; undefined: no limit. */
  readonly duration: number | undefined;
  readonly env: Environment;
  readonly signals: StandingSignals;
}

/**
 * Captures until SIGINT, SIGTERM, or the end of the duration, or until the reader of stdout or the
 * terminal has gone. SIGHUP reloads the config, SIGUSR2 reports how the run is doing.
 * @param settings the run's first settings
 * @throws {UsageError} if an exporter cannot be opened, {@linkcode HostError} if capture cannot work
 */
export async function run(settings: RunSettings, context: RunContext): Promise<void> {
  const { configFile, readSettings, duration, env, signals } = context;
  const { terminal } = signals;
  using end = new EndSignals();
  const stop = () => end.requestStop();
  const baseDirectory = configFile === undefined ? Deno.cwd() : dirname(resolve(configFile));
  const exporters = new Exporters(settings, { baseDirectory, env, stop }, end.leave);
  await using metrics = new Metrics({ baseDirectory, env });
  const reloader = new Reloader(settings, {
    file: configFile,
    readSettings,
    exporters,
    metrics,
    stop: end.stop,
  });
  using _hangups = onSignal("SIGHUP", () => {
    // without a config it can mean nothing else; this works below sudo, too, whose terminal stays
    const hungUp = terminal.endsRun && (configFile === undefined || terminal.hasGone);
    if (hungUp) stop();
    else reloader.request();
  });
  requireHost();
  try {
    // before anything is attached, so that a wrong path is reported first; a module may never load
    const opened = await unlessAborted(exporters.open(settings), end.stop);
    exporters.use(opened);
    if (exporters.mapper !== undefined) warnOfMissingCapabilities(settings);
    await metrics.use(await metrics.open(settings));
    await using sessions = await Capture.open(
      { ...settings.capture, signal: end.stop },
      outputOf(settings),
    );
    using health = new HealthMonitor(sessions, exporters);
    const readHealth = () => health.read();
    using _reports = signals.answer(() => report(readHealth()));
    metrics.start(readHealth);
    using _hurry = onAbort(end.leave, () => sessions.hurry());
    using _timer = after(duration, stop);
    await exporters.start(opened, end.stop);
    warnOfOmissions(sessions.omissions);
    if (readMounts() === undefined) log.warn(`without /proc: ${WITHOUT_PROC}`);
    for (const path of sessions.missingCgroups) {
      log.warn(`capture.exclude_cgroups: there is no ${path} now; it is excluded once it exists`);
    }
    const kept = settings.dropPrivileges ? (await import("./privileges.ts")).dropPrivileges() : [];
    warnOfOmissions(kept);
    announce(exporters.destinations);
    reloader.begin(sessions, kept.length > 0);
    await pump(sessions, exporters, (batch) => {
      health.observe(batch);
      exporters.mapper?.observe(batch);
    });
    stop(); // whatever ended the capture: nothing is reloaded any more
    // once the capture has stopped: each stage drains after the one before it
    await Promise.all([exporters.close(reloader.settings.shutdownTimeout), reloader.end()]);
    using _cutOff = onAbort(end.leave, () => void metrics.close(0));
    await metrics.close();
    summarise(reloader.settings, health.read(), sessions.isPinned, exporters);
  } catch (error) {
    if (!end.stop.aborted || error !== end.stop.reason) throw error;
  } finally {
    await exporters.close(settings.shutdownTimeout); // those of a run that failed
  }
}

/** Says that capture is live, and where sessions go, unless that is the terminal alone. */
function announce(destinations: readonly Destination[]): void {
  const places = destinations.map(({ exporter, destination }) =>
    destination === undefined ? exporter : `${exporter} ${destination}`
  );
  const hasWords = destinations.some(({ destination }) => destination !== undefined);
  log.info(hasWords ? `tracing; to ${places.join(", ")}` : "tracing", { destinations });
}

/** Warns of what spans will lack; a table takes nothing from `/proc`. */
function warnOfMissingCapabilities({ resource }: RunSettings): void {
  const useful = resource.fromProcessEnv ? [SYS_PTRACE, DAC_READ_SEARCH] : [SYS_PTRACE];
  const missing = missingCapabilities(useful.map(({ name }) => name));
  for (const { name, loss } of useful) {
    if (missing.includes(name)) log.warn(`without ${name}: ${loss}`);
  }
}

/** Calls `then` after `ms` milliseconds, if that is defined, unless disposed of before. */
function after(ms: number | undefined, then: () => void): Disposable {
  const timer = ms === undefined ? undefined : setTimeout(then, ms);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/** Always reports losses; reports deliveries if spans are sent. */
function summarise(
  settings: RunSettings,
  health: Health,
  isPinned: boolean,
  running: Exporters,
): void {
  const { captured, sampledOut, exporters } = health;
  if (settings.exporters.some(({ type }) => type.sendsSpans)) {
    const delivered = exporters.map(({ id, exported }) => `${id} ${exported}`).join(", ");
    log.info(`captured ${countSessions(captured)}; delivered: ${delivered}`, {
      sessions: captured,
    });
  }
  for (const { id, exported } of exporters) {
    const failure = exported === 0 ? running.failureOf(id) : undefined;
    if (failure === undefined) continue;
    log.warn(`nothing was delivered to ${id}: ${failure}`, { exporter: id, sessions: 0 });
  }
  if (settings.capture.sampling !== undefined) {
    log.info(`sampled out ${sampledOut} of ${countSessions(sampledOut + captured)}`);
  }
  const { pin } = settings.capture;
  if (isPinned) {
    log.info(
      `sessions are still recorded in ${pin}, for the next start; to end that: tcpspan unpin ${pin}`,
    );
  }
  for (const { id, queued } of exporters) {
    if (queued === 0) continue;
    log.info(`${id} keeps ${countSessions(queued)} on disk`, { exporter: id, sessions: queued });
  }
  for (const { message, fields } of describeLosses(health)) log.lost(message, fields);
}
