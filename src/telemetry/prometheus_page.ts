/** The page that Prometheus reads, on a port that only this host can reach. */
import * as http from "node:http";
import type { PrometheusExporter } from "../../npm/opentelemetry/exporter_prometheus.ts";
import type { LoopbackPort } from "../config/loopback_port.ts";
import { UsageError } from "../messages/errors.ts";

const PATH = "/metrics";

/**
 * Serves what the official exporter makes of the metrics. The exporter's own server is not used: it
 * does not say which port it got, and leaves connections open.
 */
export class PrometheusPage implements AsyncDisposable {
  readonly #server: http.Server;
  #exporter: PrometheusExporter | undefined;

  private constructor() {
    this.#server = http.createServer((request, response) => this.#answer(request, response));
  }

  /** @throws {UsageError} if the port is in use */
  static async open(listen: LoopbackPort): Promise<PrometheusPage> {
    const page = new PrometheusPage();
    await page.#listen(listen);
    return page;
  }

  /** Serves the metrics that `exporter` collects, from now on. */
  serve(exporter: PrometheusExporter): void {
    this.#exporter = exporter;
  }

  get url(): string {
    const listening = this.#server.address();
    if (listening === null || typeof listening === "string") throw new Error("not listening");
    const { address, port, family } = listening;
    return `http://${family === "IPv6" ? `[${address}]` : address}:${port}${PATH}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #listen({ host, port }: LoopbackPort): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", (error) => {
      const reason = "code" in error && error.code === "EADDRINUSE"
        ? "the port is in use: expected a free one"
        : error.message;
      reject(new UsageError(`telemetry.prometheus.listen: cannot use port ${port}: ${reason}`));
    });
    this.#server.listen(port, host, resolve);
    return promise;
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { method, url } = request;
    if (method !== "GET" && method !== "HEAD") {
      response.writeHead(405, { allow: "GET, HEAD" }).end();
    } else if (url?.replace(/\?.*$/s, "") !== PATH) {
      response.writeHead(404).end();
    } else if (this.#exporter === undefined) {
      response.writeHead(503).end("not tracing yet\n");
    } else {
      this.#exporter.getMetricsRequestHandler(request, response);
    }
  }
}
