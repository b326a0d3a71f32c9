import * as z from "../../vendor/zod.js";
import { duration } from "../../src/config/duration.ts";
import { filePath } from "../../src/config/file_path.ts";
import { section } from "../../src/config/section.ts";
import { retryOnFailure, sendingQueueWith } from "../../src/queue/schema.ts";
import { DEFAULTS } from "./defaults.ts";
import {
  BASE_EXPECTED,
  hasPathTwice,
  hasSignalPath,
  isHostPort,
  isHttpUrl,
  ONE_PATH_EXPECTED,
  URL_EXPECTED,
} from "./endpoint.ts";
import { HEADER_NAME, HEADER_VALUE } from "./header.ts";

function endpoint() {
  return z.string(URL_EXPECTED)
    .refine((text) => isHttpUrl(text) || isHostPort(text), URL_EXPECTED).optional();
}

function file(description: string) {
  return filePath().optional().describe(description);
}

/** Values of `protocol`. */
export const PROTOCOLS = ["http/protobuf", "http/json", "grpc"] as const;
/** Values of `compression`. */
export const COMPRESSIONS = ["none", "gzip", "zstd"] as const;

/** Settings for the checks across keys: their types are not checked yet. */
type Unchecked = Readonly<Record<string, unknown>>;

/** Makes a check run also when other keys are wrong, so that all problems show at once. */
const always = () => true;

function bareEndpointHasGrpc(key: "endpoint" | "traces_endpoint") {
  return (settings: Unchecked) => {
    const value = settings[key];
    return typeof value !== "string" || !isHostPort(value) || settings["protocol"] === "grpc";
  };
}

/** gRPC ignores paths. */
function pathIs(key: "endpoint" | "traces_endpoint", isWrong: (text: string) => boolean) {
  return (settings: Unchecked) => {
    const value = settings[key];
    return typeof value !== "string" || settings["protocol"] === "grpc" || !isWrong(value);
  };
}

const BARE_EXPECTED = `${URL_EXPECTED}; host:port needs protocol: grpc`;

/**
 * `exporters.otlp`: spans to Jaeger, a Collector, or any other OTLP receiver. A key that an
 * environment variable can give has no default here; `resolveOtlp` fills in both.
 */
export const otlpSettings = z.strictObject({
  endpoint: endpoint()
    .describe("Base URL, to which /v1/traces is added; for grpc also host:port."),
  traces_endpoint: endpoint().describe("URL used as it is; wins over endpoint."),
  protocol: z.enum(PROTOCOLS).optional()
    .describe("How spans are sent; default: OTEL_EXPORTER_OTLP_PROTOCOL, else http/protobuf."),
  headers: z.record(
    z.string().regex(HEADER_NAME, "letters, digits and hyphens"),
    z.string().regex(HEADER_VALUE, "text without line breaks"),
    "a mapping of header names to values",
  ).nullish().transform((headers) => headers ?? undefined).optional()
    .describe("Sent with each export."),
  compression: z.enum(COMPRESSIONS).optional()
    .describe("How exports are compressed; none by default, and no zstd with grpc."),
  timeout: duration().refine((ms) => ms > 0, "a duration above zero").optional()
    .describe("How long one try may last; 10s by default."),
  tls: section({
    ca_file: file(
      "Authorities that the server's certificate is checked against, in PEM form, " +
        "instead of the system's store.",
    ),
    cert_file: file("The client's own certificate, in PEM form."),
    key_file: file("The key of the client's certificate, in PEM form."),
    insecure_skip_verify: z.boolean().default(DEFAULTS.tls.insecure_skip_verify)
      .describe("Accept any certificate of the server."),
  }).describe("Certificates for https."),
  sending_queue: sendingQueueWith(DEFAULTS.sending_queue.num_consumers),
  retry_on_failure: retryOnFailure,
})
  .refine(bareEndpointHasGrpc("endpoint"), {
    path: ["endpoint"],
    error: BARE_EXPECTED,
    when: always,
  })
  .refine(bareEndpointHasGrpc("traces_endpoint"), {
    path: ["traces_endpoint"],
    error: BARE_EXPECTED,
    when: always,
  })
  .refine(pathIs("endpoint", hasSignalPath), {
    path: ["endpoint"],
    error: BASE_EXPECTED,
    when: always,
  })
  .refine(pathIs("traces_endpoint", hasPathTwice), {
    path: ["traces_endpoint"],
    error: ONE_PATH_EXPECTED,
    when: always,
  })
  .refine(({ protocol, compression }) => protocol !== "grpc" || compression !== "zstd", {
    path: ["compression"],
    error: "none or gzip, as grpc has no zstd",
    when: always,
  })
  .describe("Spans to Jaeger, a Collector, or any other OTLP receiver.");

/** Settings of the otlp exporter, before the environment and the defaults. */
export type OtlpSettings = z.output<typeof otlpSettings>;
