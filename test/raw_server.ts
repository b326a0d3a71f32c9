/** TCP ports that answer nothing, or something odd. */
import { createServer, type Server, type Socket } from "node:net";

/** A TCP server that does something with each connection once its first bytes have arrived. */
export class RawServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets: Socket[] = [];

  private constructor(serve: (socket: Socket) => void) {
    this.#server = createServer((socket) => {
      this.#sockets.push(socket);
      socket.on("error", () => {});
      socket.once("data", () => serve(socket));
    });
  }

  static async start(serve: (socket: Socket) => void): Promise<RawServer> {
    const server = new RawServer(serve);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return `http://127.0.0.1:${address.port}`;
  }

  /** Resolves once every client has closed its connection. */
  async closedByClients(): Promise<void> {
    await Promise.all(
      this.#sockets.filter((socket) => !socket.closed)
        .map((socket) => new Promise((resolve) => socket.resume().once("close", resolve))),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A port of 127.0.0.1 that was just closed, so that nobody listens on it. */
export function unusedPort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
