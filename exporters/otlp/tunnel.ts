/** Connections through a proxy. */
import * as http from "node:http";
import { connect, isIP, type Socket } from "node:net";
import * as tls from "node:tls";
import { explainConnection, ExplainedError } from "./connection_error.ts";
import type { HttpAnswer } from "./http_answer.ts";
import { asksProxy, type Proxy } from "./proxy.ts";
import { proxyTls, serverTls } from "./tls.ts";
import type { TransportOptions } from "./transport.ts";

/** Where the proxy is, for `connect` of node:net. */
export function addressOf({ url }: Proxy): { readonly host: string; readonly port: number } {
  return { host: bareHost(url), port: Number(portOf(url)) };
}

/** Headers that are for the proxy alone. */
export function proxyHeaders({ authorization }: Proxy): Readonly<Record<string, string>> {
  return authorization === undefined ? {} : { "proxy-authorization": authorization };
}

/** The host of a URL without the brackets of IPv6. */
export function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

/**
 * A connection to an https endpoint, for HTTP/1.1.
 * @param signal ends an attempt
 */
export async function connectThrough(
  proxy: Proxy,
  options: TransportOptions,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  const socket = connect(addressOf(proxy));
  const abort = () => void socket.destroy(new Error("given up"));
  signal?.addEventListener("abort", abort);
  try {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("connect", resolve).once("error", reject);
    await promise;
    const tunnelled = await tunnel(socket, proxy, options);
    return await secure(tunnelled, bareHost(options.endpoint), serverTls(options.tls));
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/**
 * Asks the proxy at the other end of `socket` for a connection to the endpoint (RFC 9110, 9.3.6).
 * Rejects if it refuses, or if `socket` ends; the caller destroys `socket` then.
 */
export async function tunnel(
  socket: Socket,
  proxy: Proxy,
  { endpoint, tls: files }: TransportOptions,
): Promise<Socket> {
  let hop = socket;
  try {
    if (proxy.url.protocol === "https:") {
      hop = await secure(socket, bareHost(proxy.url), proxyTls(files));
    }
    return await requestTunnel(hop, proxy, `${endpoint.hostname}:${portOf(endpoint)}`);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new ExplainedError(
      explainConnection(error, { endpoint: proxy.url, protocol: "http", party: "proxy" }),
    );
  }
}

/** @param target host and port */
function requestTunnel(socket: Socket, proxy: Proxy, target: string): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const request = http.request({
    method: "CONNECT",
    path: target,
    headers: { host: target, ...proxyHeaders(proxy) },
    createConnection: () => socket,
  });
  request.on("connect", ({ statusCode = 0, statusMessage = "" }, _, head) => {
    if (statusCode < 200 || statusCode > 299) {
      reject(new ExplainedError(explainRefusal(statusCode, statusMessage, proxy, target)));
      return;
    }
    if (head.length > 0) socket.unshift(head); // a gRPC server speaks first
    resolve(socket);
  });
  request.on("error", reject);
  request.end();
  return promise;
}

/** Speaks TLS on an open connection; rejects if the certificate of `host` is not good. */
function secure(
  socket: Socket,
  host: string,
  options: tls.ConnectionOptions,
): Promise<tls.TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<tls.TLSSocket>();
  const name = isIP(host) === 0 ? { servername: host } : {};
  const secured = tls.connect({ socket, host, ...name, ...options }, () => resolve(secured));
  secured.once("error", reject);
  secured.once("close", () => reject(new Error("connection closed")));
  return promise;
}

function portOf({ port, protocol }: URL): string {
  return port || (protocol === "https:" ? "443" : "80");
}

/**
 * Why a proxy did not pass a request on that it was sent as if it was the server; undefined if the
 * answer is the server's. Both come in one form: what is not OTLP's is taken for the proxy's if it
 * says that the server cannot be reached, as that may change.
 */
export function refusalOf(answer: HttpAnswer, options: TransportOptions): string | undefined {
  if (!asksProxy(options)) return undefined;
  const { endpoint, proxy } = options;
  const { status, statusText, header } = answer;
  const isOtlp = /^application\/(x-protobuf|json)\b/i.test(header("content-type") ?? "");
  const isOfProxy = status === 407 ||
    (status === 403 || status >= 500) && !isOtlp && header("retry-after") === undefined;
  if (!isOfProxy) return undefined;
  return explainRefusal(status, statusText, proxy, `${endpoint.hostname}:${portOf(endpoint)}`);
}

function explainRefusal(
  status: number,
  statusText: string,
  { authorization, variable }: Proxy,
  target: string,
): string {
  const text = statusText || http.STATUS_CODES[status] || "";
  const line = `the proxy answers HTTP ${status} ${text}`.trim();
  if (status === 407) {
    return authorization === undefined
      ? `${line}: put its user name and password into ${variable}, as http://USER:PASSWORD@HOST:PORT`
      : `${line}: check the user name and the password in ${variable}`;
  }
  return status >= 500
    ? `${line}: it cannot reach ${target}`
    : `${line}: it must allow ${target}, or no_proxy must name that host`;
}
