/** What a run does: the flags, the config and the environment put together. */
import type { Attributes } from "../../npm/opentelemetry/api.ts";
import type { CaptureOptions } from "../capture/capture_options.ts";
import {
  CAPTURE,
  DROP_PRIVILEGES,
  RESOURCE,
  SAMPLING,
  SHUTDOWN_TIMEOUT,
  TRACE,
} from "../config/defaults.ts";
import type { Environment } from "../config/expand.ts";
import type { Config, ConfiguredExporter } from "../config/load.ts";
import { quote } from "../messages/quote.ts";
import { parseResourceAttributes } from "./resource_attributes.ts";
import { UsageError } from "../messages/errors.ts";
import type { ExporterType, FormatFlag } from "../exporter.ts";
import type { TelemetrySettings } from "../telemetry/settings.ts";
import type { RunFlags } from "./flags.ts";
import type { SpanSettings } from "../span/open_spans.ts";
import type { ResourceSettings } from "../span/resource.ts";

/** Options that are undefined if they are off. */
type MayBeOff = "interim" | "pin" | "sampling";

/** What a run captures, with nothing left out. */
type CompleteCaptureOptions =
  & Required<Omit<CaptureOptions, "signal" | MayBeOff>>
  & { readonly [Name in MayBeOff]: CaptureOptions[Name] };

/** What a run does. */
export interface RunSettings {
  readonly capture: CompleteCaptureOptions;
  /** The config's attributes win over the environment's. */
  readonly resource: ResourceSettings;
  readonly trace: SpanSettings["trace"];
  /** Whether to give up what is not needed once tracing has begun. */
  readonly dropPrivileges: boolean;
  readonly exporters: readonly ConfiguredExporter[];
  /** Milliseconds that exporters have at the end to deliver what waits. */
  readonly shutdownTimeout: number;
  /** Undefined if the run's health is reported only at SIGUSR2. */
  readonly telemetry: TelemetrySettings | undefined;
  /** Warnings to show before the start. */
  readonly warnings: readonly string[];
}

/** The config file of a run: that of `--config`, else of TCPSPAN_CONFIG, else none. */
export function configFile(flags: RunFlags, env: Environment): string | undefined {
  return flags.config ?? variable(env, "TCPSPAN_CONFIG");
}

/**
 * Puts together what a run does. Flags win over the config, and the config over the environment.
 * @param config undefined if the run has no config file
 * @param exporterTypes the first one is the default, if nothing names an exporter
 * @throws {UsageError} if the parts do not go together
 */
export function effectiveSettings(
  flags: RunFlags,
  config: Config | undefined,
  { env, exporterTypes }: {
    readonly env: Environment;
    readonly exporterTypes: readonly ExporterType<unknown>[];
  },
): RunSettings {
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  const selected = config?.exporters ?? selectExporters(env, exporterTypes, warn);
  const trace = config?.trace ?? TRACE;
  return {
    capture: {
      ...captureSettings(flags, config?.capture ?? CAPTURE),
      sampling: samplingSettings(config?.sampling ?? SAMPLING, trace.key),
    },
    resource: resourceSettings(config?.resource ?? RESOURCE, env, warn),
    trace,
    dropPrivileges: config?.drop_privileges ?? DROP_PRIVILEGES,
    exporters: withoutDisabled(
      withFormat(selected, exporterTypes, flags, config === undefined ? env : undefined),
      env,
      warn,
    ),
    shutdownTimeout: config?.shutdown_timeout ?? SHUTDOWN_TIMEOUT,
    telemetry: telemetrySettings(config, env, warn),
    warnings,
  };
}

function captureSettings(
  flags: RunFlags,
  capture: Config["capture"],
): Omit<RunSettings["capture"], "sampling"> {
  return {
    pids: flags.pids ?? capture.pids,
    localPorts: flags.localPorts ?? capture.local_ports,
    remotePorts: flags.remotePorts ?? capture.remote_ports,
    families: flags.family === undefined ? capture.families : [flags.family],
    includeCidrs: capture.include_cidrs,
    excludeCidrs: capture.exclude_cidrs,
    excludeExecutables: capture.exclude_executables,
    excludeCgroups: capture.exclude_cgroups,
    minBytes: capture.min_bytes,
    minDuration: capture.min_duration,
    maxSessionsPerSecond: capture.max_sessions_per_second,
    ringBuffer: capture.ring_buffer,
    existing: capture.existing,
    interim: capture.interim === "off" ? undefined : capture.interim,
    reportOpenOnExit: capture.report_open_on_exit,
    ownTraffic: capture.own_traffic,
    pin: capture.pin === "off" ? undefined : capture.pin,
  };
}

/** Undefined if all are kept: then spans say nothing about sampling. */
function samplingSettings(
  { ratio, keep_errors }: Config["sampling"],
  key: string,
): RunSettings["capture"]["sampling"] {
  return ratio === 1 ? undefined : { ratio, keepErrors: keep_errors, key };
}

function resourceSettings(
  resource: Config["resource"],
  env: Environment,
  warn: (message: string) => void,
): ResourceSettings {
  const attributes: Attributes = {};
  const listed = variable(env, "OTEL_RESOURCE_ATTRIBUTES");
  if (listed !== undefined) {
    const parsed = parseResourceAttributes(listed);
    if (parsed === undefined) {
      warn(
        "ignoring OTEL_RESOURCE_ATTRIBUTES: found text that is not key=value,key=value: " +
          "expected commas, equals and percent signs within them as %2C, %3D and %25",
      );
    }
    Object.assign(attributes, parsed);
  }
  const name = variable(env, "OTEL_SERVICE_NAME");
  if (name !== undefined) attributes["service.name"] = name;
  if (attributes["service.name"] !== undefined && !("service.name" in resource.attributes)) {
    const source = name === undefined ? "OTEL_RESOURCE_ATTRIBUTES" : "OTEL_SERVICE_NAME";
    warn(
      `${source} names every process's spans ${quote(String(attributes["service.name"]))}: ` +
        "a service map then has one node for all of them",
    );
  }
  return {
    attributes: { ...attributes, ...resource.attributes },
    commandLine: resource.command_line,
    fromProcessEnv: resource.from_process_env,
  };
}

/** The exporters of a run without a config. */
function selectExporters(
  env: Environment,
  types: readonly ExporterType<unknown>[],
  warn: (message: string) => void,
): ConfiguredExporter[] {
  const listed = variable(env, "OTEL_TRACES_EXPORTER");
  if (listed === undefined) {
    const named = types.filter(({ selectingVariables = [] }) =>
      selectingVariables.some((name) => variable(env, name) !== undefined)
    );
    return (named.length > 0 ? named : types.slice(0, 1)).map(withDefaults);
  }
  const selectable = types.flatMap(({ environmentName }) => environmentName ?? []).sort().reverse();
  const names = new Set(
    listed.split(",").map((name) => name.trim().toLowerCase()).filter((name) => name !== ""),
  );
  const wrong = (found: string) =>
    new UsageError(
      `cannot use OTEL_TRACES_EXPORTER: found ${found}: ` +
        `expected ${selectable.join(", ")}, or none alone`,
    );
  if (names.size === 0) throw wrong(quote(listed));
  if (names.has("none")) {
    if (names.size > 1) throw wrong(quote(listed));
    warn("OTEL_TRACES_EXPORTER is none: sessions are traced and go nowhere");
    return [];
  }
  return [...names].map((name) => {
    const type = types.find(({ environmentName }) => environmentName === name);
    if (type === undefined) throw wrong(quote(name));
    return withDefaults(type);
  });
}

function withDefaults(type: ExporterType<unknown>): ConfiguredExporter {
  if (type.defaults === undefined) throw new Error(`exporter type ${type.type} has no defaults`);
  return { id: type.type, type, settings: type.defaults };
}

/**
 * The exporters, with the flags -T -t -w -s put over the settings of those that take them.
 * @param env what selected the exporters; undefined if a config did
 */
function withFormat(
  exporters: readonly ConfiguredExporter[],
  types: readonly ExporterType<unknown>[],
  flags: RunFlags,
  env: Environment | undefined,
): readonly ConfiguredExporter[] {
  const { format, time, timestamp } = flags;
  const given = Object.entries({ format, time, timestamp } satisfies Record<FormatFlag, unknown>)
    .filter(([, value]) => value !== undefined);
  if (given.length === 0) return exporters;
  const takesFlags = ({ flags = [] }: ExporterType<unknown>) =>
    given.every(([flag]) => flags.some((own) => own === flag));
  if (!exporters.some(({ type }) => takesFlags(type))) {
    const names = [time && "-T", timestamp && "-t", format && (format === "wide" ? "-w" : "-s")];
    const able = types.filter(takesFlags);
    const found = `found no ${able.map(({ type }) => type).join(" or ")} exporter`;
    const selecting = env && selectingVariable(exporters, env);
    const both = [...able, ...exporters.map(({ type }) => type)]
      .flatMap(({ environmentName }) => environmentName ?? []).join();
    throw new UsageError(
      `cannot use ${names.filter((flag) => flag !== undefined).join(" ")}: ` +
        (selecting === undefined
          ? `${found}: expected one, whose format these flags set`
          : `${found}, as ${selecting} selects another: set OTEL_TRACES_EXPORTER=${both}`),
    );
  }
  return exporters.map((exporter) =>
    takesFlags(exporter.type)
      ? { ...exporter, settings: Object.assign({}, exporter.settings, Object.fromEntries(given)) }
      : exporter
  );
}

/** The variable that selected `exporters` although nothing lists any. */
function selectingVariable(
  exporters: readonly ConfiguredExporter[],
  env: Environment,
): string | undefined {
  if (variable(env, "OTEL_TRACES_EXPORTER") !== undefined) return undefined;
  return exporters.flatMap(({ type }) => type.selectingVariables ?? [])
    .find((name) => variable(env, name) !== undefined);
}

function telemetrySettings(
  config: Config | undefined,
  env: Environment,
  warn: (message: string) => void,
): TelemetrySettings | undefined {
  const { otlp, prometheus } = config?.telemetry ?? {};
  if (otlp === undefined && prometheus === undefined) return undefined;
  if (isDisabled(env)) {
    warn("OTEL_SDK_DISABLED is true: telemetry is off");
    return undefined;
  }
  const exporter = config?.exporters.find((exporter) =>
    exporter.type.openMetrics !== undefined && (otlp?.exporter ?? exporter.id) === exporter.id
  );
  return {
    otlp: otlp && exporter && { exporter, interval: otlp.interval },
    prometheus: prometheus?.listen,
  };
}

function withoutDisabled(
  exporters: readonly ConfiguredExporter[],
  env: Environment,
  warn: (message: string) => void,
): readonly ConfiguredExporter[] {
  if (!isDisabled(env)) return exporters;
  const disabled = exporters.filter(({ type }) => type.sendsSpans);
  if (disabled.length > 0) {
    const ids = disabled.map(({ id }) => id).join(", ");
    warn(`OTEL_SDK_DISABLED is true: these exporters are off: ${ids}`);
  }
  return exporters.filter(({ type }) => !type.sendsSpans);
}

function isDisabled(env: Environment): boolean {
  return variable(env, "OTEL_SDK_DISABLED")?.toLowerCase() === "true";
}

/** A variable's value; an empty one counts as unset, as OpenTelemetry says. */
function variable(env: Environment, name: string): string | undefined {
  return env(name)?.trim() || undefined;
}
