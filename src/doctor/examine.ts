/** `tcpspan doctor`: tries what a run would do; says what this host lacks, and what to do then. */
import { dirname, resolve } from "node:path";
import type { SessionBatch } from "../session/batch.ts";
import { missingCapabilities } from "../host/capabilities.ts";
import type { Environment } from "../config/expand.ts";
import { checkHost } from "../capture/requirements.ts";
import { checkBpfFileSystem } from "../host/bpf_file_system.ts";
import { checkCgroup2 } from "../host/cgroup2.ts";
import type { HostCheck } from "../host/check.ts";
import { checkLibseccomp } from "../host/libseccomp.ts";
import { readMounts } from "../host/mounts.ts";
import { checkProcessVisibility } from "../host/process_visibility.ts";
import { checkSeccompFilter, refusesBpf } from "../host/seccomp_filter.ts";
import { checkUserNamespace } from "../host/user_namespace.ts";
import { readProc, readProcLink } from "../host/procfs.ts";
import type { RunSettings } from "../run/settings.ts";
import { tryExporters } from "./exporters.ts";
import { tryTelemetry } from "./telemetry.ts";
import { tryPin } from "./pin.ts";
import { type Trial, tryCapture } from "./trial.ts";

/** What doctor found. */
export interface Examination {
  readonly items: readonly HostCheck[];
  /** Whether sessions are seen, whatever else does not work. */
  readonly traces: boolean;
  /** Whether a run with these settings would work. */
  readonly usable: boolean;
  /** The session that doctor made, as a run sees it. */
  readonly session: SessionBatch | undefined;
}

/** What doctor needs besides the settings of a run. */
export interface ExaminationContext {
  /** Relative paths in the config are relative to its folder. */
  readonly configFile: string | undefined;
  readonly env: Environment;
  readonly warn: (message: string) => void;
}

/** The trial of a host that already failed a check. */
const NOT_TRIED: Trial = { items: [], loads: false, session: undefined };

/** Tries what a run with `settings` would do, and leaves everything as it was. */
export async function examine(
  settings: RunSettings,
  context: ExaminationContext,
): Promise<Examination> {
  const required = checkHost();
  const trial = works(required) ? await tryCapture(settings.capture) : NOT_TRIED;
  const { items: tried, loads, session } = trial;
  const known = required.filter(({ name }) => !tried.some((item) => item.name === name));
  const host = [...known, ...checkSurroundings(settings, loads), ...tried];
  const destinations = await tryDestinations(settings, context);
  const items = [...host, ...destinations];
  const traces = loads && (session !== undefined || works(tried));
  return { items, traces, usable: works(items), session };
}

/** Opens and asks where a run with `settings` would send to, and leaves everything as it was. */
export async function tryDestinations(
  settings: RunSettings,
  { configFile, env, warn }: ExaminationContext,
): Promise<HostCheck[]> {
  // not those that write to stdout, as doctor does
  const exporters = settings.exporters.filter(({ type }) => type.output === undefined);
  const baseDirectory = configFile === undefined ? Deno.cwd() : dirname(resolve(configFile));
  const destinations = await tryExporters(exporters, {
    baseDirectory,
    env,
    warn,
    openSpans: async () => {
      const { openSpans } = await import("../span/open_spans.ts");
      const { resource, trace, capture: { sampling } } = settings;
      return openSpans({ resource, trace, sampling });
    },
  });
  return [...destinations, ...await tryTelemetry(settings, { baseDirectory, env })];
}

/** What else decides how much a run can report. @param loads whether programs could be loaded */
function checkSurroundings(settings: RunSettings, loads: boolean): HostCheck[] {
  const { pin } = settings.capture;
  const mounts = readMounts();
  const mayTrace = missingCapabilities(["CAP_SYS_PTRACE"]).length === 0;
  return [
    checkUserNamespace(readProcLink("self/ns/user"), loads),
    checkSeccompFilter(readProc("self/status"), !loads && refusesBpf()),
    checkProcessVisibility(mounts, mayTrace),
    checkCgroup2(mounts),
    pin === undefined || !loads ? checkBpfFileSystem(mounts) : tryPin(pin),
    checkLibseccomp(),
  ];
}

function works(items: readonly HostCheck[]): boolean {
  return items.every(({ result }) => result !== "no");
}
