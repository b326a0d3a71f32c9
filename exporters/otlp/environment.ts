/** Settings of the otlp exporter from the config, the environment and the defaults, in that order. */
import { resolve } from "node:path";
import { parseKeyPairsIntoRecord } from "../../npm/opentelemetry/core.ts";
import { MAX_DURATION } from "../../src/config/limits.ts";
import { quote } from "../../src/messages/quote.ts";
import { UsageError } from "../../src/messages/errors.ts";
import { leadsToLoopback } from "./connection/no_proxy.ts";
import { oneAlone, type TlsPaths } from "./connection/tls.ts";
import {
  hasPathTwice,
  hasSignalPath,
  isHostPort,
  isHttpUrl,
  ONE_PATH_EXPECTED,
  URL_EXPECTED,
} from "./endpoint.ts";
import { HEADER_NAME, HEADER_VALUE } from "./header.ts";
import { COMPRESSIONS, type OtlpSettings, PROTOCOLS } from "./settings.ts";

/** What OTLP carries here: spans, and tcpspan's own metrics. */
export type Signal = "traces" | "metrics";

/** Where a signal goes, and how. Nothing is left to fill in. */
export interface ResolvedOtlp {
  readonly protocol: typeof PROTOCOLS[number];
  /**
   * The URL that is posted to; for grpc only scheme, host and port: https means TLS, http none.
   */
  readonly url: string;
  /** May hold secrets. */
  readonly headers: Readonly<Record<string, string>>;
  /** Never zstd with grpc. */
  readonly compression: typeof COMPRESSIONS[number];
  /** Milliseconds that one try may last. */
  readonly timeout: number;
  /** Paths from the config, relative to its folder, or absolute ones from the environment. */
  readonly tls: TlsPaths;
}

/**
 * Fills in what the config does not set: from OTEL_EXPORTER_OTLP_TRACES_X (for metrics
 * OTEL_EXPORTER_OTLP_METRICS_X), else OTEL_EXPORTER_OTLP_X, else the default. A key of the config
 * wins as a whole: with `headers` in the config no header comes from the environment, with
 * `endpoint` no OTEL_EXPORTER_OTLP_TRACES_ENDPOINT.
 * @param warn called for each variable with a bad value, which counts as unset
 * @throws {UsageError} if the config cannot work together with the rest
 */
export function resolveOtlp(
  settings: OtlpSettings,
  env: (name: string) => string | undefined,
  warn: (message: string) => void,
  signal: Signal = "traces",
): ResolvedOtlp {
  const variables = new Variables(env, warn, signal);
  const protocol = settings.protocol ??
    variables.read("PROTOCOL", oneOf(PROTOCOLS), "http/protobuf, http/json or grpc") ??
    "http/protobuf";
  const tls = resolveTls(settings, variables, warn);
  return {
    protocol,
    url: protocol === "grpc"
      ? grpcUrl(settings, variables, tls, warn)
      : httpUrl(settings, variables, signal),
    headers: settings.headers ??
      variables.read("HEADERS", parseHeaders, "name=value,name=value", "secret") ?? {},
    compression: resolveCompression(settings, protocol, variables),
    timeout: settings.timeout ??
      variables.read("TIMEOUT", parseMilliseconds, "milliseconds above zero") ?? 10_000,
    tls,
  };
}

/** The variables of one signal's exporter. */
class Variables {
  readonly #env: (name: string) => string | undefined;
  readonly #warn: (message: string) => void;
  readonly #own: string;

  constructor(
    env: (name: string) => string | undefined,
    warn: (message: string) => void,
    signal: Signal,
  ) {
    this.#env = env;
    this.#warn = warn;
    this.#own = signal.toUpperCase();
  }

  /** The value of OTEL_EXPORTER_OTLP_TRACES_X, else of OTEL_EXPORTER_OTLP_X, if one is good. */
  read<Value>(
    suffix: string,
    parse: (text: string) => Value | undefined,
    expected: string,
    secrecy: "public" | "secret" = "public",
  ): Value | undefined {
    return this.readOwn(suffix, parse, expected, secrecy) ??
      this.readOne(suffix, parse, expected, secrecy);
  }

  /** The value of OTEL_EXPORTER_OTLP_TRACES_X, if it is good. */
  readOwn<Value>(
    suffix: string,
    parse: (text: string) => Value | undefined,
    expected: string,
    secrecy: "public" | "secret" = "public",
  ): Value | undefined {
    return this.readOne(`${this.#own}_${suffix}`, parse, expected, secrecy);
  }

  /** The value of OTEL_EXPORTER_OTLP_X, if it is good. */
  readOne<Value>(
    suffix: string,
    parse: (text: string) => Value | undefined,
    expected: string,
    secrecy: "public" | "secret" = "public",
  ): Value | undefined {
    const name = `OTEL_EXPORTER_OTLP_${suffix}`;
    const text = this.#env(name)?.trim() ?? "";
    if (text === "") return undefined;
    const value = parse(text);
    if (value === undefined) {
      const found = secrecy === "secret" ? "something else" : quote(text);
      this.#warn(`ignoring ${name}: found ${found}: expected ${expected}`);
    }
    return value;
  }
}

const GRPC_EXPECTED = "an http or https URL such as http://localhost:4317, or host:port";

function httpUrl(settings: OtlpSettings, variables: Variables, signal: Signal): string {
  for (const key of ["traces_endpoint", "endpoint"] as const) {
    const value = settings[key];
    if (value === undefined) continue;
    if (!isHttpUrl(value)) {
      throw new UsageError(`cannot use ${key}: found ${quote(value)}: expected ${URL_EXPECTED}`);
    }
    if (key === "endpoint") return signalUrl(value, signal);
    return signal === "traces" ? new URL(value).href : metricsBeside(value);
  }
  const parse = (text: string) => isHttpUrl(text) ? text : undefined;
  const own = variables.readOwn("ENDPOINT", parse, URL_EXPECTED);
  if (own !== undefined) {
    if (!hasPathTwice(own)) return new URL(own).href;
    const name = `OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`;
    throw new UsageError(`cannot use ${name}: found ${quote(own)}: expected ${ONE_PATH_EXPECTED}`);
  }
  const base = variables.readOne("ENDPOINT", parse, URL_EXPECTED) ?? "http://localhost:4318";
  if (hasSignalPath(base)) {
    throw new UsageError(
      `cannot use OTEL_EXPORTER_OTLP_ENDPOINT: found ${quote(base)}: expected the URL without ` +
        "/v1/traces, which is added; OTEL_EXPORTER_OTLP_TRACES_ENDPOINT takes a whole one",
    );
  }
  return signalUrl(base, signal);
}

/** The URL of a signal below a base URL. */
function signalUrl(base: string, signal: Signal): string {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/v1/${signal}`;
  return url.href;
}

/** The URL of metrics at the receiver whose URL of traces this is. */
function metricsBeside(tracesUrl: string): string {
  const url = new URL(tracesUrl);
  if (!url.pathname.endsWith("/v1/traces")) {
    throw new UsageError(
      `cannot send metrics beside traces_endpoint: found ${quote(tracesUrl)}: expected a path ` +
        "that ends in /v1/traces, or an endpoint",
    );
  }
  url.pathname = url.pathname.replace(/traces$/, "metrics");
  return url.href;
}

function grpcUrl(
  settings: OtlpSettings,
  variables: Variables,
  tls: TlsPaths,
  warn: (message: string) => void,
): string {
  const isEndpoint = (text: string) => isHttpUrl(text) || isHostPort(text);
  const endpoint = settings.traces_endpoint ?? settings.endpoint ??
    variables.read("ENDPOINT", (text) => isEndpoint(text) ? text : undefined, GRPC_EXPECTED) ??
    "http://localhost:4317";
  if (isHostPort(endpoint)) {
    const insecure = variables.read("INSECURE", parseBoolean, "true or false") ??
      // The specification demands TLS here. But nobody can listen in on a host's own loopback,
      // where collectors do not use TLS.
      (leadsToLoopback(new URL(`http://${endpoint}`)) && tls.caFile === undefined &&
        tls.certFile === undefined);
    return `${insecure ? "http" : "https"}://${endpoint}`;
  }
  if (!isHttpUrl(endpoint)) {
    throw new UsageError(
      `cannot use endpoint: found ${quote(endpoint)}: expected ${GRPC_EXPECTED}`,
    );
  }
  const url = new URL(endpoint);
  if (url.pathname !== "/" || url.search !== "") {
    warn(`ignoring the path in the endpoint ${quote(endpoint)}: grpc has none`);
  }
  return `${url.protocol}//${url.host}`;
}

function resolveCompression(
  settings: OtlpSettings,
  protocol: ResolvedOtlp["protocol"],
  variables: Variables,
): ResolvedOtlp["compression"] {
  if (settings.compression === undefined) {
    const allowed = COMPRESSIONS.filter((name) => protocol !== "grpc" || name !== "zstd");
    return variables.read("COMPRESSION", oneOf(allowed), allowed.join(", ")) ?? "none";
  }
  if (protocol === "grpc" && settings.compression === "zstd") {
    throw new UsageError('cannot use compression with grpc: found "zstd": expected none or gzip');
  }
  return settings.compression;
}

function resolveTls(
  settings: OtlpSettings,
  variables: Variables,
  warn: (message: string) => void,
): TlsPaths {
  const path = (suffix: string) => variables.read(suffix, (text) => resolve(text), "a path");
  const { ca_file, cert_file, key_file, insecure_skip_verify } = settings.tls;
  let certFile = cert_file ?? path("CLIENT_CERTIFICATE");
  let keyFile = key_file ?? path("CLIENT_KEY");
  if ((certFile === undefined) !== (keyFile === undefined)) {
    if (cert_file !== undefined || key_file !== undefined) {
      throw oneAlone(cert_file === undefined ? "key_file" : "cert_file");
    }
    warn(
      "ignoring the client certificate of the environment: found only one of " +
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY: expected both",
    );
    certFile = keyFile = undefined;
  }
  return {
    caFile: ca_file ?? path("CERTIFICATE"),
    certFile,
    keyFile,
    insecureSkipVerify: insecure_skip_verify,
  };
}

function oneOf<Word extends string>(words: readonly Word[]): (text: string) => Word | undefined {
  return (text) => words.find((word) => word === text.toLowerCase());
}

function parseBoolean(text: string): boolean | undefined {
  const word = text.toLowerCase();
  return word === "true" ? true : word === "false" ? false : undefined;
}

function parseMilliseconds(text: string): number | undefined {
  const value = Number(text);
  return /^\d+$/.test(text) && value > 0 && value <= MAX_DURATION ? value : undefined;
}

/** `name=value` pairs with percent-encoding, as in W3C Baggage; undefined if one is wrong. */
function parseHeaders(text: string): Readonly<Record<string, string>> | undefined {
  const entries: [string, string][] = [];
  for (const pair of text.split(",")) {
    if (pair.trim() === "") continue;
    const [entry] = Object.entries(parseKeyPairsIntoRecord(pair));
    if (entry === undefined || !HEADER_NAME.test(entry[0]) || !HEADER_VALUE.test(entry[1])) {
      return undefined;
    }
    entries.push(entry);
  }
  return Object.fromEntries(entries);
}
