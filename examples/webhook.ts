/**
 * An exporter of your own: posts each batch as a JSON array of sessions. A config names it, as
 * webhook.yaml does:
 *
 *     sudo deno run -A mod.ts --config examples/webhook.yaml
 */
import type { ExporterType, ExportOutcome, SessionBatch } from "../mod.ts";

/** `options` in the config. */
export interface WebhookOptions {
  /** Where batches are posted to. */
  readonly url: string;
}

/** What a config names with `export: webhook`. */
export const webhook: ExporterType<WebhookOptions> = {
  type: "webhook",
  open({ url }, { warn }) {
    // an error here is reported with its place in the config, and nothing is started
    if (!URL.canParse(url)) {
      throw new Error(`url is ${url}: expected one such as http://localhost/`);
    }
    if (!url.startsWith("https:")) warn("sessions are sent without encryption");
    return { export: (batch, signal) => post(url, batch, signal) };
  },
};

/** The queue in front tries again what is retryable, and counts as lost what is a failure. */
async function post(
  url: string,
  batch: SessionBatch,
  signal: AbortSignal,
): Promise<ExportOutcome> {
  const headers = { "content-type": "application/json" };
  try {
    const body = JSON.stringify([...batch]);
    const response = await fetch(url, { method: "POST", headers, body, signal });
    await response.body?.cancel();
    if (response.ok) return { status: "success" };
    const isTemporary = response.status === 429 || response.status >= 500;
    return {
      status: isTemporary ? "retryable" : "failure",
      reason: `${url} answered ${response.status}`,
    };
  } catch (error) {
    return { status: "retryable", reason: `cannot reach ${url}: ${error}` };
  }
}
