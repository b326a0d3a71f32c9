/** A real gRPC server that takes OTLP, and answers what a test wants. */
import { Buffer } from "node:buffer";
import * as grpc from "@grpc/grpc-js";

/** A call as it arrived. */
export interface ReceivedCall {
  readonly metadata: Readonly<Record<string, string | Uint8Array>>;
  /** After decompression. */
  readonly body: Uint8Array;
  /** The client's address and port: one for each connection. */
  readonly peer: string;
}

/** Answers a call: with the bytes of a response, with an error, or never. */
export type GrpcReply = (call: ReceivedCall) => Uint8Array | Partial<grpc.ServiceError> | "never";

/** Takes everything. */
export const accept: GrpcReply = () => new Uint8Array();

const SERVICE = {
  export: {
    path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    requestStream: false,
    responseStream: false,
    requestSerialize: (bytes: Buffer) => bytes,
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
  },
} as const;

/** A gRPC server on a port of loopback. */
export class GrpcReceiver implements AsyncDisposable {
  /** In the order in which they were received. */
  readonly calls: ReceivedCall[] = [];
  readonly port: number;
  readonly #server: grpc.Server;

  private constructor(server: grpc.Server, port: number, calls: ReceivedCall[]) {
    this.#server = server;
    this.port = port;
    this.calls = calls;
  }

  /**
   * Listens. With `tls` (PEM) it speaks TLS, and lets in only certificates signed by `tls.ca`.
   * @param port 0 for any free one
   */
  static async start(
    reply: GrpcReply = accept,
    tls?: { readonly cert: string; readonly key: string; readonly ca?: string },
    port = 0,
  ): Promise<GrpcReceiver> {
    const calls: ReceivedCall[] = [];
    const server = new grpc.Server();
    server.addService(SERVICE, {
      export: (
        call: grpc.ServerUnaryCall<Buffer, Buffer>,
        respond: grpc.sendUnaryData<Buffer>,
      ) => {
        const received = {
          metadata: call.metadata.getMap(),
          body: new Uint8Array(call.request),
          peer: call.getPeer(),
        };
        calls.push(received);
        const answer = reply(received);
        if (answer === "never") return;
        if (answer instanceof Uint8Array) respond(null, Buffer.from(answer));
        else respond(answer);
      },
    });
    const credentials = tls === undefined
      ? grpc.ServerCredentials.createInsecure()
      : grpc.ServerCredentials.createSsl(Buffer.from(tls.ca ?? tls.cert), [{
        cert_chain: Buffer.from(tls.cert),
        private_key: Buffer.from(tls.key),
      }], tls.ca !== undefined);
    const bind = (address: string) =>
      new Promise<number>((resolve, reject) =>
        server.bindAsync(
          address,
          credentials,
          (error, port) => error === null ? resolve(port) : reject(error),
        )
      );
    const bound = await bind(`127.0.0.1:${port}`);
    // `localhost` may be ::1 too; a refusal there would hide what the test is about
    await bind(`[::1]:${bound}`).catch(() => {});
    return new GrpcReceiver(server, bound, calls);
  }

  /** The only call, which must have arrived. */
  get call(): ReceivedCall {
    const [call, ...others] = this.calls;
    if (call === undefined || others.length > 0) {
      throw new Error(`cannot take the only call: there are ${this.calls.length}`);
    }
    return call;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
    return Promise.resolve();
  }
}
