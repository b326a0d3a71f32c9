/** The otlp exporter for programs that use the library. */
import type { ExporterType } from "../../src/library/exporter.ts";
import { BatchView } from "../../src/library/batch.ts";
import { UsageError } from "../../src/messages/errors.ts";

/** Settings of {@linkcode otlpExporter}: those of `exporters.otlp` in a config, without the queue. */
export interface OtlpOptions {
  /**
   * URL of the receiver, to which `/v1/traces` is added; for grpc also `host:port`. Default:
   * OTEL_EXPORTER_OTLP_ENDPOINT, else port 4318 of this host, for grpc 4317.
   */
  readonly endpoint?: string;
  /** URL that is used as it is, instead of `endpoint`. */
  readonly traces_endpoint?: string;
  /** How spans are sent; default: OTEL_EXPORTER_OTLP_PROTOCOL, else `http/protobuf`. */
  readonly protocol?: "http/protobuf" | "http/json" | "grpc";
  /** Sent with each export. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How exports are compressed; `none` by default; grpc has no `zstd`. */
  readonly compression?: "none" | "gzip" | "zstd";
  /** How long one try may last, such as `500ms`; `10s` by default, and 30 s at most. */
  readonly timeout?: string;
  /** Certificates for https: files in PEM form. */
  readonly tls?: {
    /** Authorities that the server's certificate is checked against, instead of the system's. */
    readonly ca_file?: string;
    /** The client's own certificate. */
    readonly cert_file?: string;
    /** The key of the client's certificate. */
    readonly key_file?: string;
    /** Accept any certificate of the server. Default false. */
    readonly insecure_skip_verify?: boolean;
  };
}

/** Keys of `exporters.otlp` that say how its queue works. */
const QUEUE_KEYS = ["sending_queue", "retry_on_failure"];

/**
 * Spans to Jaeger, an OpenTelemetry Collector, or any other OTLP receiver. Its `open` throws a
 * {@linkcode UsageError} if the settings cannot work; {@linkcode openExporter} puts a queue in
 * front; without a queue, nothing is tried again.
 */
export const otlpExporter: ExporterType<OtlpOptions> = {
  type: "otlp",
  open: async (given, context) => {
    const settings = given ?? {}; // as a config's empty section
    const [{ otlpExporter: core }, { otlpSettings }, { describeExpected }, { SpansView }] =
      await Promise.all([
        import("./otlp.ts"),
        import("./settings.ts"),
        import("../../src/config/check.ts"),
        import("../../src/library/spans_view.ts"),
      ]);
    const { success, data, error } = otlpSettings.safeParse(settings, { error: describeExpected });
    const misplaced = success ? QUEUE_KEYS.filter((key) => key in settings) : [];
    if (!success || misplaced.length > 0) {
      const problems = error?.issues.flatMap((issue) => {
        const path = issue.path.join(".");
        if (issue.code !== "unrecognized_keys") {
          return `${path || "settings"}: expected ${issue.message}`;
        }
        const texts = issue.message.split("\n"); // one for each key
        return issue.keys.map((key, i) => `${path && `${path}.`}${key}: ${texts[i]}`);
      }) ?? misplaced.map((key) => `${key}: expected the option queue of openExporter() instead`);
      throw new UsageError(`cannot open ${context.id}: ${problems.join("; ")}`);
    }
    const exporter = await core.open(data, {
      id: context.id,
      baseDirectory: context.baseDirectory,
      env: (name) => Deno.env.get(name) || undefined,
      openSpans: async () => SpansView.sourceOf(await context.openSpans()),
      reloading: false,
      warn: (message) => context.warn(message),
      stop: () => context.stop(),
    });
    return {
      export: (batch, signal) => exporter.export(BatchView.recordsOf(batch), signal),
      shutdown: () => exporter.shutdown(),
    };
  },
};
