/** A real HTTP proxy that leads every host to loopback, and answers what a test wants. */
import * as http from "node:http";
import * as https from "node:https";
import { connect, type Socket } from "node:net";

/** What a client asked a proxy for. */
export interface ProxyRequest {
  /** CONNECT, or that of the request that was passed on. */
  readonly method: string;
  /** `host:port` of a CONNECT, else a URL. */
  readonly target: string;
  readonly headers: Readonly<http.IncomingHttpHeaders>;
}

/** How a proxy answers: it passes the request on, refuses with a status, or is silent. */
export type ProxyReply = "pass" | "silent" | number;

/** A proxy on 127.0.0.1. A port in a target is that of a server on 127.0.0.1. */
export class HttpProxy implements AsyncDisposable {
  /** In the order in which they were received. */
  readonly requests: ProxyRequest[] = [];
  readonly #server: http.Server;
  readonly #scheme: string;
  readonly #sockets = new Set<Socket>();

  private constructor(
    server: http.Server,
    scheme: string,
    reply: (request: ProxyRequest) => ProxyReply,
  ) {
    this.#server = server;
    this.#scheme = scheme;
    server.on("connection", (socket: Socket) => this.#keep(socket));
    const take = ({ method = "", url = "", headers }: http.IncomingMessage) => {
      const request = { method, target: url, headers };
      this.requests.push(request);
      return reply(request);
    };
    server.on("connect", (request: http.IncomingMessage, client: Socket) => {
      client.on("error", () => {});
      const answer = take(request);
      if (answer === "silent") {
        client.resume().once("end", () => client.end());
        return;
      }
      if (typeof answer === "number") {
        client.end(`HTTP/1.1 ${answer} ${http.STATUS_CODES[answer]}\r\nContent-Length: 0\r\n\r\n`);
        return;
      }
      const upstream = connect(Number(request.url?.split(":").at(-1)), "127.0.0.1");
      this.#keep(upstream);
      upstream.on("connect", () => {
        client.write("HTTP/1.1 200 Connection established\r\n\r\n");
        upstream.pipe(client);
        client.pipe(upstream);
      });
    });
    server.on("request", (request: http.IncomingMessage, response: http.ServerResponse) => {
      const answer = take(request);
      if (answer === "silent") return;
      if (typeof answer === "number") {
        request.resume();
        response.writeHead(answer, { "content-type": "text/html" }).end("<h1>proxy</h1>");
        return;
      }
      const { port, pathname, search } = new URL(request.url ?? "");
      const { method = "", headers } = request;
      const upstream = http.request({
        port,
        host: "127.0.0.1",
        path: pathname + search,
        method,
        headers,
      });
      upstream.on("response", (from) => {
        response.writeHead(from.statusCode ?? 0, from.headers);
        from.pipe(response);
      });
      upstream.on("error", () => response.writeHead(502).end());
      request.pipe(upstream);
    });
  }

  /** @param tls (PEM) lets clients speak TLS to the proxy */
  static async start(
    reply: (request: ProxyRequest) => ProxyReply = () => "pass",
    tls?: { readonly cert: string; readonly key: string },
  ): Promise<HttpProxy> {
    const proxy = tls === undefined
      ? new HttpProxy(http.createServer(), "http", reply)
      : new HttpProxy(https.createServer(tls), "https", reply);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  url(host = "127.0.0.1"): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return `${this.#scheme}://${host}:${address.port}`;
  }

  /** Resolves once no connection to or from the proxy is open. */
  async allClosed(): Promise<void> {
    await Promise.all(
      [...this.#sockets].map((socket) =>
        socket.closed || new Promise((resolve) => socket.once("close", resolve))
      ),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #keep(socket: Socket): void {
    socket.on("error", () => {});
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  }
}
