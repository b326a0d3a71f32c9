/** OTLP over HTTP. */
import * as http from "node:http";
import * as https from "node:https";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import * as zlib from "node:zlib";
import { showDuration } from "../../src/messages/words.ts";
import { bareHost } from "./connection/host.ts";
import { addressOf, asksProxy, type Proxy, proxyHeaders } from "./connection/proxy.ts";
import { proxyTls, serverTls } from "./connection/tls.ts";
import { connectThrough } from "./connection/tunnel.ts";
import { basicAuthorization } from "./connection/url_credentials.ts";
import { mistakeOf } from "./advice.ts";
import { classify, type HttpAnswer } from "./http_answer.ts";
import { refusalOf } from "./proxy_answer.ts";
import { Reasons } from "./reason.ts";
import {
  type OtlpResponse,
  type OtlpTransport,
  type TransportOptions,
  USER_AGENT,
} from "./transport.ts";

const MAX_ANSWER = 64 * 1024; // bytes
const MOST_INFORMATIONAL = 16; // a flood of them would block everything else

/**
 * Sends each request body in one POST, on connections that are kept. Unlike the official transport
 * it distinguishes status codes, passes Retry-After on, and bounds the whole exchange.
 */
export class HttpTransport implements OtlpTransport {
  readonly #options: TransportOptions;
  readonly #contentType: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #compress: (data: Uint8Array) => Uint8Array;
  readonly #agent: http.Agent;
  readonly #target: http.RequestOptions;
  readonly #reasons: Reasons;
  #hasAnswered = false;

  /** @param contentType of the request bodies, and of the answers */
  constructor(options: TransportOptions, contentType: string) {
    const { endpoint, compression } = options;
    const authorization = basicAuthorization(endpoint);
    this.#options = options;
    this.#contentType = contentType;
    this.#compress = COMPRESS[compression];
    this.#headers = {
      "user-agent": USER_AGENT,
      "host": endpoint.host,
      ...(authorization === undefined ? {} : { authorization }),
      ...lowerCase(options.headers),
      ...asksProxy(options) ? proxyHeaders(options.proxy) : {},
      "content-type": contentType,
      ...(compression === "none" ? {} : { "content-encoding": compression }),
    };
    this.#agent = agentOf(options);
    this.#target = targetOf(options);
    this.#reasons = new Reasons(options);
  }

  async send(
    data: Uint8Array,
    timeoutMillis: number,
    signal?: AbortSignal,
  ): Promise<OtlpResponse> {
    let answer: HttpAnswer;
    try {
      answer = await this.#exchange(this.#compress(data), timeoutMillis, signal);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const isNew = !this.#hasAnswered;
      return { status: "retryable", error: this.#reasons.ofConnection(error, isNew) };
    }
    const refused = refusalOf(answer, this.#options) ?? mistakeOf(answer.status, answer.body);
    return refused === undefined
      ? classify(answer, this.#contentType, this.#options.endpoint, this.#reasons)
      : { status: "retryable", error: this.#reasons.of(refused) };
  }

  shutdown(): void {
    this.#agent.destroy();
  }

  /** Rejects if the connection fails, the time is over or `signal` aborts. */
  #exchange(body: Uint8Array, timeoutMillis: number, signal?: AbortSignal): Promise<HttpAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const ending = new AbortController();
    const options: TunnelledRequest = {
      ...this.#target,
      method: "POST",
      agent: this.#agent,
      headers: { ...this.#headers, "content-length": body.length },
      givenUp: ending.signal,
    };
    const request = (this.#agent instanceof https.Agent ? https : http).request(options);
    const giveUp = (reason: string) => {
      reject(new Error(reason));
      ending.abort();
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
      this.#hasAnswered = true;
      const chunks: Uint8Array[] = [];
      let size = 0;
      const status = response.statusCode ?? 0;
      const finish = () => {
        const body = new Uint8Array(size);
        let offset = 0;
        for (const chunk of chunks) {
          body.set(chunk, offset);
          offset += chunk.length;
        }
        resolve({
          status,
          statusText: response.statusMessage ?? "",
          header: (name) => first(response.headers[name]),
          body,
        });
      };
      // who refuses a request may close the connection before all of it was sent
      const cutShort = status >= 400 ? finish : reject;
      request.off("error", reject).on("error", cutShort);
      response.on("data", (chunk: Uint8Array) => {
        chunks.push(chunk.subarray(0, MAX_ANSWER - size));
        size = Math.min(size + chunk.length, MAX_ANSWER);
        if (size < MAX_ANSWER) return;
        finish();
        request.destroy(); // the rest may have no end
      });
      response.on("end", finish);
      response.on("error", cutShort);
      response.on("close", () => cutShort(new Error("connection closed during the answer")));
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

/** A request whose connection may be given up while it is being made. */
interface TunnelledRequest extends http.RequestOptions {
  readonly givenUp: AbortSignal;
}

/** Makes connections to an https endpoint through a proxy, and keeps them. */
class TunnelAgent extends http.Agent {
  readonly #options: TransportOptions;
  readonly #proxy: Proxy;

  constructor(options: TransportOptions, proxy: Proxy) {
    super({ keepAlive: true });
    this.#options = options;
    this.#proxy = proxy;
  }

  override createConnection(
    options: http.ClientRequestArgs & Partial<TunnelledRequest>,
    callback: (error: Error | null, socket: Duplex) => void,
  ): never {
    void connectThrough(this.#proxy, this.#options, options.givenUp).then(
      (socket) => callback(null, socket),
      // the types demand a socket beside an error, of which there is none
      (error) => callback(error, undefined as never),
    );
    return undefined as never; // the socket comes by the callback; not all types of Node allow that
  }
}

function agentOf(options: TransportOptions): http.Agent {
  const { endpoint, proxy, tls } = options;
  if (proxy !== undefined && endpoint.protocol === "https:") return new TunnelAgent(options, proxy);
  if ((proxy?.url ?? endpoint).protocol === "http:") return new http.Agent({ keepAlive: true });
  if (proxy === undefined) return new https.Agent({ keepAlive: true, ...serverTls(tls) });
  const host = bareHost(proxy.url);
  // by itself the agent takes the name from the header Host, which is the endpoint's
  const servername = isIP(host) === 0 ? host : "";
  return new https.Agent({ keepAlive: true, ...proxyTls(tls), servername });
}

/** Where the agent connects to, and what the request line says. */
function targetOf(options: TransportOptions): http.RequestOptions {
  const { endpoint } = options;
  const path = endpoint.pathname + endpoint.search;
  // URLs as they are would send their credentials a second time
  return asksProxy(options)
    ? { ...addressOf(options.proxy), path: `http://${endpoint.host}${path}` }
    : { hostname: bareHost(endpoint), port: endpoint.port, path };
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

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
