/** Whether a run could send and show metrics of its own. */
import { UsageError } from "../errors.ts";
import type { HostCheck } from "../host/check.ts";
import { Metrics, type MetricsContext } from "../run/metrics.ts";
import type { RunSettings } from "../settings.ts";

/** Opens what `telemetry` asks for, and closes it again; nothing where it asks for nothing. */
export async function tryTelemetry(
  settings: RunSettings,
  context: MetricsContext,
): Promise<HostCheck[]> {
  if (settings.telemetry === undefined) return [];
  const name = "telemetry";
  try {
    await using _opened = await new Metrics(context).open(settings);
    return [{ name, result: "ok", found: "ready" }];
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return [{ name, result: "no", found: error.message }];
  }
}
