/** OTLP over gRPC. */
import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import * as grpc from "../../npm/grpc_js.ts";
import { UsageError } from "../../src/messages/errors.ts";
import { showDuration } from "../../src/messages/words.ts";
import { GrpcConnections, secureCredentials } from "./connection/grpc_connections.ts";
import { bareHost, hostPortOf } from "./connection/host.ts";
import { tunnel } from "./connection/tunnel.ts";
import { ADVICE_FOR_CODE } from "./advice.ts";
import type { Signal } from "./environment.ts";
import { otherType } from "./other_type.ts";
import { Reasons } from "./reason.ts";
import { readRpcStatus } from "./rpc_status.ts";
import { saysTooLarge } from "./too_large.ts";
import {
  type OtlpResponse,
  type OtlpTransport,
  type TransportOptions,
  USER_AGENT,
} from "./transport.ts";

const METHODS: Readonly<Record<Signal, string>> = {
  traces: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
  metrics: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
};

const CONTENT_TYPE = "application/grpc";
const IS_GRPC = /^application\/grpc(\+.*)?$/; // not gRPC-Web
const LARGE = 64 * 1024; // bytes: no proxy refuses less, and no single span has more
const HTTP_STATUS = /^Received HTTP status code (\d+)/; // grpc-js, if there is no gRPC status

/** `isPage`: it is not gRPC, and of an HTTP status that grpc-js does not say. */
type CallResponse = OtlpResponse & { readonly isPage?: boolean };

/** The name of a server that has only an address; RFC 6761 makes sure that it is never real. */
const NO_NAME = "ip-address.invalid";

/** The OTLP specification's table; RESOURCE_EXHAUSTED is retryable only with a RetryInfo. */
const RETRYABLE: readonly grpc.status[] = [
  grpc.status.CANCELLED,
  grpc.status.DEADLINE_EXCEEDED,
  grpc.status.ABORTED,
  grpc.status.OUT_OF_RANGE,
  grpc.status.UNAVAILABLE,
  grpc.status.DATA_LOSS,
];

/** Those with which a message can be refused as too large; tonic has OUT_OF_RANGE. */
const TOO_LARGE: readonly grpc.status[] = [
  grpc.status.RESOURCE_EXHAUSTED,
  grpc.status.OUT_OF_RANGE,
  grpc.status.INVALID_ARGUMENT,
  grpc.status.INTERNAL,
  grpc.status.UNKNOWN, // Envoy's, and of any HTTP status
];

/**
 * Sends each request body in one unary call. The official exporter is built on the same client, but
 * reports no partial success and no RetryInfo, and cannot be made to give up.
 */
export class GrpcTransport implements OtlpTransport {
  readonly #method: string;
  readonly #address: string;
  readonly #connections: GrpcConnections;
  readonly #channelOptions: grpc.ChannelOptions;
  readonly #metadata: grpc.Metadata;
  readonly #reasons: Reasons;
  #client: grpc.Client | undefined;

  /** @throws {UsageError} if gRPC does not allow a header */
  constructor(options: TransportOptions, signal: Signal) {
    this.#method = METHODS[signal];
    const { endpoint, proxy } = options;
    const secure = endpoint.protocol === "https:";
    const server = hostPortOf(endpoint); // without a port grpc-js takes 443 for http too
    this.#address = hostPortOf(proxy?.url ?? endpoint);
    const ip = bareHost(endpoint);
    const isAddress = isIP(ip) !== 0;
    this.#connections = new GrpcConnections(
      secure
        ? secureCredentials(options.tls, isAddress ? ip : undefined)
        : grpc.credentials.createInsecure(),
      server,
      proxy === undefined ? undefined : (socket) => tunnel(socket, proxy, options),
    );
    this.#channelOptions = {
      "grpc.default_compression_algorithm": grpc.compressionAlgorithms[
        options.compression === "gzip" ? "gzip" : "identity"
      ],
      "grpc.primary_user_agent": USER_AGENT,
      // exporters are independent: grpc-js would share the connection of two to one server
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_http_proxy": 0, // it knows no loopback, and has other rules than HTTP
      ...(proxy === undefined ? {} : { "grpc.default_authority": server }),
      // grpc-js sends the address as the TLS server name, which TLS does not allow
      ...(secure && isAddress ? { "grpc.ssl_target_name_override": NO_NAME } : {}),
    };
    this.#metadata = toMetadata(options.headers);
    this.#reasons = new Reasons(options, "grpc");
  }

  async send(data: Uint8Array, timeoutMillis: number, signal?: AbortSignal): Promise<OtlpResponse> {
    const began = performance.now();
    const { isPage, ...response } = await this.#call(data, timeoutMillis, signal);
    if (isPage !== true || data.length < LARGE) return response;
    // a proxy's page may be about the size: then an empty request is taken
    const left = timeoutMillis - (performance.now() - began);
    const probe = await this.#call(new Uint8Array(), left, signal);
    return probe.status === "success" ? { ...response, isTooLarge: true } : response;
  }

  #call(data: Uint8Array, timeoutMillis: number, signal?: AbortSignal): Promise<CallResponse> {
    const client = this.#client ??= new grpc.Client(
      this.#address,
      this.#connections,
      this.#channelOptions,
    );
    const { promise, resolve } = Promise.withResolvers<CallResponse>();
    let type: string | undefined; // comes before the answer
    const call = client.makeUnaryRequest(
      this.#method,
      asBuffer,
      asBuffer,
      data,
      this.#metadata,
      { deadline: Date.now() + timeoutMillis },
      (error, answer) => {
        if (error?.code === grpc.status.UNAVAILABLE) this.#forget(client);
        if (error?.code === grpc.status.DEADLINE_EXCEEDED) this.#forget(client);
        const page = this.#page(type ?? typeOf(error?.metadata), error);
        if (page !== undefined) resolve(page);
        else if (error !== null) resolve(this.#classify(error, timeoutMillis, signal));
        else resolve({ status: "success", ...(answer === undefined ? {} : { data: answer }) });
      },
    );
    call.on("metadata", (metadata: grpc.Metadata) => type = typeOf(metadata));
    const abort = () => call.cancel();
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
    return promise.finally(() => signal?.removeEventListener("abort", abort));
  }

  shutdown(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  /**
   * The next call gets a new connection at once: the client would fail each call for up to two
   * minutes before it tries again, and would never notice that an open connection is dead.
   */
  #forget(client: grpc.Client): void {
    if (this.#client === client) this.#client = undefined;
    client.close();
  }

  /** What an answer means that is not gRPC: a web page, of a proxy or on a wrong port. */
  #page(type: string | undefined, error: grpc.ServiceError | null): CallResponse | undefined {
    const [, status] = HTTP_STATUS.exec(error?.details ?? "") ?? [];
    const isSuccess = status?.startsWith("2") === true;
    const isOther = type !== undefined && !IS_GRPC.test(type);
    if (!isSuccess && (status !== undefined || !isOther)) return undefined;
    const shown = this.#reasons.told(type ?? "");
    const line = status === undefined ? "" : `HTTP ${status}`;
    const response = otherType(line, shown, CONTENT_TYPE, this.#reasons);
    return { ...response, isPage: status === undefined && error !== null };
  }

  #classify(
    { code, details, metadata }: grpc.ServiceError,
    timeoutMillis: number,
    signal: AbortSignal | undefined,
  ): OtlpResponse {
    const error = this.#reason(code, details, timeoutMillis, signal);
    const [bytes] = metadata.get("grpc-status-details-bin");
    const retryInMillis = bytes instanceof Uint8Array
      ? readRpcStatus(bytes)?.retryAfterMs
      : undefined;
    if (retryInMillis !== undefined) {
      const retryable = RETRYABLE.includes(code) || code === grpc.status.RESOURCE_EXHAUSTED;
      return retryable
        ? { status: "retryable", error, retryInMillis }
        : { status: "failure", error };
    }
    if (TOO_LARGE.includes(code) && saysTooLarge(details)) {
      return { status: "failure", error, isTooLarge: true };
    }
    return { status: RETRYABLE.includes(code) ? "retryable" : "failure", error };
  }

  #reason(
    code: grpc.status,
    details: string,
    timeoutMillis: number,
    signal: AbortSignal | undefined,
  ): Error {
    if (code === grpc.status.CANCELLED && signal?.aborted) {
      return this.#reasons.of("given up at shutdown");
    }
    if (code === grpc.status.DEADLINE_EXCEEDED && /^(context )?deadline exceeded/i.test(details)) {
      return this.#reasons.of(`no complete answer within ${showDuration(timeoutMillis)}`);
    }
    const name = grpc.status[code] ?? String(code);
    const connection = connectionDetail(details);
    if (connection === undefined || code !== grpc.status.UNAVAILABLE) {
      return this.#reasons.ofServer(`gRPC ${name}`, details, ADVICE_FOR_CODE[name]);
    }
    const { failure } = this.#connections;
    const isLast = failure !== undefined && details.includes(failure.message); // TCP may fail later
    return this.#reasons.ofConnection(isLast ? failure : new Error(connection), true);
  }
}

function toMetadata(headers: TransportOptions["headers"]): grpc.Metadata {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(headers)) {
    try {
      metadata.set(
        name,
        name.toLowerCase().endsWith("-bin") ? Buffer.from(value, "base64") : value,
      );
    } catch {
      throw new UsageError(
        `cannot use header ${JSON.stringify(name)}: gRPC does not allow its name or its value`,
      );
    }
  }
  return metadata;
}

/** What went wrong below gRPC, in the words of grpc-js. */
function connectionDetail(details: string): string | undefined {
  if (details.startsWith("Name resolution failed")) return "ENOTFOUND";
  return /^No connection established\. Last error: (?:\w*Error(?: \[\w+\])?: )?(.*?)(?: \([^()]*Z\))?\. Resolution note: /
    .exec(details)?.[1];
}

/** The content type among an answer's headers, in lower case. */
function typeOf(metadata: grpc.Metadata | undefined): string | undefined {
  const [type] = metadata?.get("content-type") ?? [];
  return typeof type === "string" ? type.split(";")[0]?.trim().toLowerCase() : undefined;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
