/** Connections of gRPC, as grpc-js takes them. */
import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import * as grpc from "../../../npm/grpc_js.ts";
import type { TlsFiles } from "./tls.ts";

type SecureConnector = ReturnType<grpc.ChannelCredentials["_createSecureConnector"]>;

/** Makes of a TCP connection what calls go over, and remembers why that failed. */
export class GrpcConnections extends grpc.ChannelCredentials {
  readonly #inner: grpc.ChannelCredentials;
  readonly #server: string;
  readonly #prepare: ((socket: Socket) => Promise<Socket>) | undefined;
  #failure: Error | undefined;

  /**
   * @param inner adds TLS, or nothing
   * @param server its name and port
   * @param prepare is done first
   */
  constructor(
    inner: grpc.ChannelCredentials,
    server: string,
    prepare: ((socket: Socket) => Promise<Socket>) | undefined,
  ) {
    super();
    this.#inner = inner;
    this.#server = server;
    this.#prepare = prepare;
  }

  /** Why the last TCP connection could not be used; grpc-js only passes the text on. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  override _isSecure(): boolean {
    return this.#inner._isSecure();
  }

  override _equals(other: grpc.ChannelCredentials): boolean {
    return other === this;
  }

  override _createSecureConnector(
    ...[_target, options, credentials]: Parameters<
      grpc.ChannelCredentials["_createSecureConnector"]
    >
  ): SecureConnector {
    const target = { scheme: "dns", path: this.#server }; // grpc-js knows the proxy's alone
    const inner = this.#inner._createSecureConnector(target, options, credentials);
    const pending = new Set<Socket>();
    return {
      connect: async (socket) => {
        pending.add(socket);
        try {
          const connected = await inner.connect(await this.#prepare?.(socket) ?? socket);
          this.#failure = undefined;
          return connected;
        } catch (error) {
          this.#failure = error instanceof Error ? error : undefined;
          throw error;
        } finally {
          pending.delete(socket);
        }
      },
      waitForReady: () => inner.waitForReady(),
      getCallCredentials: () => inner.getCallCredentials(),
      destroy: () => {
        for (const socket of pending) socket.destroy();
        inner.destroy();
      },
    };
  }
}

/**
 * For TLS to the server.
 * @param ip its address, if the endpoint has no host name
 */
export function secureCredentials(
  { ca, authorities, cert, key, insecureSkipVerify }: TlsFiles,
  ip: string | undefined,
): grpc.ChannelCredentials {
  const pem = (text: string | undefined) => text === undefined ? null : Buffer.from(text);
  return grpc.credentials.createSsl(pem(ca ?? authorities), pem(key), pem(cert), {
    rejectUnauthorized: !insecureSkipVerify,
    ...(ip === undefined ? {} : {
      checkServerIdentity: (_: string, certificate: PeerCertificate) =>
        checkServerIdentity(ip, certificate),
    }),
  });
}
