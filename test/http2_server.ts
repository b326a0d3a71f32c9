/** HTTP/2 servers that are not gRPC's, or answer something odd. */
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";

/** An HTTP/2 server without TLS that calls `act` for each stream. */
export async function startHttp2(
  act: (stream: http2.ServerHttp2Stream) => void,
): Promise<{ readonly url: string } & AsyncDisposable> {
  const sessions = new Set<http2.ServerHttp2Session>();
  const server = http2.createServer();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => {});
  });
  server.on("stream", (stream: http2.ServerHttp2Stream) => {
    stream.on("error", () => {});
    act(stream);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
