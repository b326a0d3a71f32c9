/** Whether a run could send and show metrics of its own. */
import { unlessAborted } from "../abort.ts";
import type { HostCheck } from "../host/check.ts";
import { deadline, failureOf, LIMIT_MS } from "./failure.ts";
import { Metrics, type MetricsContext } from "../run/metrics.ts";
import type { RunSettings } from "../run/settings.ts";
import type { TelemetrySettings } from "../telemetry/settings.ts";

/** Opens what `telemetry` asks for, and closes it again; no items if telemetry is off. */
export async function tryTelemetry(
  settings: RunSettings,
  context: MetricsContext,
): Promise<HostCheck[]> {
  if (settings.telemetry === undefined) return [];
  const name = "telemetry";
  const key = [name];
  const attempt = async () => {
    await using _opened = await new Metrics(context).open(settings);
  };
  try {
    using end = deadline(LIMIT_MS);
    await unlessAborted(attempt(), end.signal);
    return [{ name, key, result: "ok", found: describeOpened(settings.telemetry) }];
  } catch (error) {
    return [{ ...failureOf(name, error), key }];
  }
}

function describeOpened({ otlp, prometheus }: TelemetrySettings): string {
  return [
    prometheus && `the page can listen on port ${prometheus.port} of ${prometheus.host}`,
    otlp && `the receiver of ${otlp.exporter.id} was not asked whether it takes metrics`,
  ].filter((part) => part !== undefined).join("; ");
}
