/** Connections through a proxy. */
import * as http from "node:http";
import { connect, isIP, type Socket } from "node:net";
import * as tls from "node:tls";
import { explainConnection, ExplainedError } from "./connection_error.ts";
import { bareHost, hostPortOf } from "./host.ts";
import type { ConnectionOptions } from "./options.ts";
import { addressOf, type Proxy, proxyHeaders } from "./proxy.ts";
import { explainRefusal } from "./proxy_refusal.ts";
import { proxyTls, serverTls } from "./tls.ts";

/**
 * A connection to an https endpoint, for HTTP/1.1.
 * @param signal ends an attempt
 */
export async function connectThrough(
  proxy: Proxy,
  options: ConnectionOptions,
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
  { endpoint, tls: files }: ConnectionOptions,
): Promise<Socket> {
  let hop = socket;
  try {
    if (proxy.url.protocol === "https:") {
      hop = await secure(socket, bareHost(proxy.url), proxyTls(files));
    }
    return await requestTunnel(hop, proxy, hostPortOf(endpoint));
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
