/** OTLP over HTTP. */
import * as http from "node:http";
import * as https from "node:https";
import * as zlib from "node:zlib";
import type { ExportResponse } from "../../npm/opentelemetry/otlp_exporter_base.ts";
import { showDuration } from "../../src/messages/words.ts";
import { classify, type HttpAnswer } from "./http_answer.ts";
import { Reasons } from "./reason.ts";
import { type OtlpTransport, type TransportOptions, USER_AGENT } from "./transport.ts";
import { urlCredentials } from "./url_credentials.ts";

const MAX_ANSWER = 64 * 1024; // bytes
const MOST_INFORMATIONAL = 16; // a flood of them would block everything else

/**
 * Sends each request body in one POST, on connections that are kept. Unlike the official transport
 * it distinguishes status codes, passes Retry-After on, and bounds the whole exchange.
 */
export class HttpTransport implements OtlpTransport {
  readonly #endpoint: URL;
  readonly #contentType: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #compress: (data: Uint8Array) => Uint8Array;
  readonly #agent: http.Agent;
  readonly #reasons: Reasons;

  /** @param contentType of the request bodies, and of the answers */
  constructor(options: TransportOptions, contentType: string) {
    const { endpoint, compression, tls } = options;
    this.#endpoint = endpoint;
    this.#contentType = contentType;
    this.#compress = COMPRESS[compression];
    this.#headers = {
      "user-agent": USER_AGENT,
      ...basicAuthorization(endpoint),
      ...lowerCase(options.headers),
      "content-type": contentType,
      ...(compression === "none" ? {} : { "content-encoding": compression }),
    };
    this.#agent = endpoint.protocol === "https:"
      ? new https.Agent({
        keepAlive: true,
        rejectUnauthorized: !tls.insecureSkipVerify,
        ...(tls.ca === undefined ? {} : { ca: tls.ca }),
        ...(tls.cert === undefined ? {} : { cert: tls.cert }),
        ...(tls.key === undefined ? {} : { key: tls.key }),
      })
      : new http.Agent({ keepAlive: true });
    this.#reasons = new Reasons(options);
  }

  async send(
    data: Uint8Array,
    timeoutMillis: number,
    signal?: AbortSignal,
  ): Promise<ExportResponse> {
    let answer: HttpAnswer;
    try {
      answer = await this.#exchange(this.#compress(data), timeoutMillis, signal);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return { status: "retryable", error: this.#reasons.ofConnection(error) };
    }
    return classify(answer, this.#contentType, this.#endpoint, this.#reasons);
  }

  shutdown(): void {
    this.#agent.destroy();
  }

  /** Rejects if the connection fails, the time is over or `signal` aborts. */
  #exchange(body: Uint8Array, timeoutMillis: number, signal?: AbortSignal): Promise<HttpAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const request = (this.#endpoint.protocol === "https:" ? https : http).request({
      method: "POST",
      // a URL would send its credentials a second time
      hostname: this.#endpoint.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: this.#endpoint.port,
      path: this.#endpoint.pathname + this.#endpoint.search,
      agent: this.#agent,
      headers: { ...this.#headers, "content-length": body.length },
    });
    const giveUp = (reason: string) => {
      reject(new Error(reason));
      request.destroy();
    };
    const timer = setTimeout(
      giveUp,
      timeoutMillis,
      `no complete answer within ${showDuration(timeoutMillis)}`,
    );
    const abort = () => giveUp("given up at shutdown");
    signal?.addEventListener("abort", abort);
    request.on("error", reject);
    let informational = 0;
    request.on("information", () => {
      if (++informational > MOST_INFORMATIONAL) {
        giveUp(`more than ${MOST_INFORMATIONAL} 1xx answers`);
      }
    });
    request.on("response", (response) => {
      const chunks: Uint8Array[] = [];
      let size = 0;
      const finish = () => {
        const body = new Uint8Array(size);
        let offset = 0;
        for (const chunk of chunks) {
          body.set(chunk, offset);
          offset += chunk.length;
        }
        resolve({
          status: response.statusCode ?? 0,
          statusText: response.statusMessage ?? "",
          header: (name) => first(response.headers[name]),
          body,
        });
      };
      response.on("data", (chunk: Uint8Array) => {
        chunks.push(chunk.subarray(0, MAX_ANSWER - size));
        size = Math.min(size + chunk.length, MAX_ANSWER);
        if (size < MAX_ANSWER) return;
        finish();
        request.destroy(); // the rest may have no end
      });
      response.on("end", finish);
      response.on("error", reject);
      response.on("close", () => reject(new Error("connection closed during the answer")));
    });
    if (signal?.aborted) {
      abort();
    } else {
      request.flushHeaders(); // otherwise they are copied together with the body
      request.end(body);
    }
    return promise.finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    });
  }
}

/** Deno's asynchronous zlib functions would also work on the calling thread. */
const COMPRESS: Readonly<
  Record<TransportOptions["compression"], (data: Uint8Array) => Uint8Array>
> = {
  none: (data) => data,
  gzip: (data) => zlib.gzipSync(data, { level: 1 }),
  zstd: (data) => zlib.zstdCompressSync(data),
};

function lowerCase(headers: TransportOptions["headers"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}

function basicAuthorization(endpoint: URL): Record<string, string> {
  const { username, password } = urlCredentials(endpoint);
  if (username === "" && password === "") return {};
  const bytes = new TextEncoder().encode(`${username}:${password}`);
  return { authorization: `Basic ${bytes.toBase64()}` };
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
