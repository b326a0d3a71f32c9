/** A real HTTP server that takes OTLP, and answers what a test wants. */
import { Buffer } from "node:buffer";
import * as http from "node:http";
import * as https from "node:https";
import * as zlib from "node:zlib";

/** A request as it arrived, whole. */
export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<http.IncomingHttpHeaders>;
  /** After decompression. */
  readonly body: Uint8Array;
  /** Bytes on the wire. */
  readonly sentLength: number;
}

/** Writes the answer to a request. */
export type Reply = (response: http.ServerResponse, request: ReceivedRequest) => void;

/** Answers 200 with an empty body of the request's type, as a Collector does. */
export const accept: Reply = (response, { headers }) => {
  response.writeHead(200, { "content-type": headers["content-type"] ?? "" }).end();
};

/** Answers with a status, a body and headers. */
export function answer(
  status: number,
  body: string | Uint8Array = "",
  headers: http.OutgoingHttpHeaders = {},
): Reply {
  return (response) => void response.writeHead(status, headers).end(body);
}

/** An HTTP server on 127.0.0.1. */
export class OtlpReceiver implements AsyncDisposable {
  /** In the order in which they were received. */
  readonly requests: ReceivedRequest[] = [];
  /** Connections that were ever opened. */
  connections = 0;
  readonly #server: http.Server | https.Server;
  readonly #scheme: string;

  private constructor(server: http.Server | https.Server, scheme: string, reply: Reply) {
    this.#server = server;
    this.#scheme = scheme;
    server.on("connection", () => this.connections++);
    server.on("request", (request: http.IncomingMessage, response: http.ServerResponse) => {
      const chunks: Uint8Array[] = [];
      request.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      request.on("end", () => {
        const sent = new Uint8Array(Buffer.concat(chunks));
        const received = {
          method: request.method ?? "",
          path: request.url ?? "",
          headers: request.headers,
          body: decompress(sent, request.headers["content-encoding"]),
          sentLength: sent.length,
        };
        this.requests.push(received);
        reply(response, received);
      });
    });
  }

  /**
   * Listens, on a free port by default. With `tls` (PEM) it speaks https, and lets in only
   * certificates signed by `tls.ca`.
   */
  static async start(
    reply: Reply = accept,
    tls?: { readonly cert: string; readonly key: string; readonly ca?: string },
    port = 0,
  ): Promise<OtlpReceiver> {
    const server = tls === undefined ? http.createServer() : https.createServer({
      ...tls,
      requestCert: tls.ca !== undefined,
      rejectUnauthorized: tls.ca !== undefined,
    });
    const receiver = new OtlpReceiver(server, tls === undefined ? "http" : "https", reply);
    await new Promise<void>((resolve, reject) => {
      server.on("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
    return receiver;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return address.port;
  }

  /** Base URL. */
  url(host = "127.0.0.1"): string {
    return `${this.#scheme}://${host}:${this.port}`;
  }

  /** The only request, which must have arrived. */
  get request(): ReceivedRequest {
    const [request, ...others] = this.requests;
    if (request === undefined || others.length > 0) {
      throw new Error(`cannot take the only request: there are ${this.requests.length}`);
    }
    return request;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

function decompress(sent: Uint8Array, encoding: string | undefined): Uint8Array {
  switch (encoding) {
    case undefined:
      return sent;
    case "gzip":
      return new Uint8Array(zlib.gunzipSync(sent));
    case "zstd":
      return new Uint8Array(zlib.zstdDecompressSync(sent));
    default:
      throw new Error(`cannot decompress ${encoding}`);
  }
}
