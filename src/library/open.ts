/** What a program begins with. Each function loads what it works with when it is called. */
import type { CaptureOptions } from "../capture/capture_options.ts";
import type { Capture } from "./capture.ts";
import type { ExporterType } from "./exporter.ts";
import type { ExporterQueue, OpenExporterOptions } from "./queue.ts";
import type { SpanOptions, Spans } from "./spans.ts";

/**
 * Starts a capture of the TCP sessions that end on this host, in all network namespaces. Needs Linux
 * 5.11 or later, libbpf 1.x, and root. A session on this host has two ends, each of which is
 * delivered. A batch is given up when the next one is asked for: see {@linkcode Session.toObject}.
 *
 * @throws {UsageError} if an option is unknown or wrong, {HostError} if the kernel or the host makes
 * it impossible
 *
 * @example Print the port and the payload of each session that ends within a tenth of a second
 * ```ts
 * import { capture } from "@tcpspan/tcpspan";
 *
 * await using sessions = await capture({ signal: AbortSignal.timeout(100) });
 * for await (const batch of sessions) {
 *   for (const session of batch) {
 *     console.log(session.comm, session.serverPort, session.txBytes, session.rxBytes);
 *   }
 * }
 * ```
 */
export async function capture(options: CaptureOptions = {}): Promise<Capture> {
  const { openCapture } = await import("./capture_view.ts");
  return await openCapture(options);
}

/**
 * Loads what makes spans. It reads /proc and /etc/passwd to describe processes, and fetches
 * OpenTelemetry's packages from npm if Deno does not have them yet.
 * @throws {UsageError} if an option is unknown or wrong
 *
 * @example The ids of a session
 * ```ts
 * import { openSpans, sessionOf } from "@tcpspan/tcpspan";
 *
 * const spans = await openSpans({ key: "of our site" });
 * const { traceId, spanId } = spans.idsOf(sessionOf({ comm: "curl" }));
 * console.log(`00-${traceId}-${spanId}-01`);
 * ```
 */
export async function openSpans(options: SpanOptions = {}): Promise<Spans> {
  const { openSpansView } = await import("./spans_view.ts");
  return await openSpansView(options);
}

/**
 * Opens an exporter behind a queue: one of your own, or {@linkcode otlpExporter}.
 * @throws what its `open` throws, {HostError} if it cannot start, {UsageError} if an option is unknown
 * or wrong, if settings of the otlp exporter are wrong, or if the queue's folder cannot be used
 *
 * @example Spans to a Collector
 * ```ts
 * import { batchOf, openExporter, otlpExporter } from "@tcpspan/tcpspan";
 *
 * await using queue = await openExporter(otlpExporter, { endpoint: "http://127.0.0.1:4318" });
 * queue.push(batchOf([])); // in a program: each batch of a capture
 * ```
 */
export async function openExporter<Settings>(
  type: ExporterType<Settings>,
  settings: Settings,
  options: OpenExporterOptions = {},
): Promise<ExporterQueue> {
  const { openQueueView } = await import("./queue_view.ts");
  return await openQueueView(type, settings, options);
}
