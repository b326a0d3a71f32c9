/** A session that doctor makes, and must see. */
import { namespaceOf } from "../host/procfs.ts";
import type { Session } from "../session/session.ts";

const HOST = "127.0.0.1";
const SENT = 4096; // bytes, by the client
const ANSWERED = 2048;
const TOLERANCE_NS = 100_000_000n; // of the wall clock: the errors looked for are hours

/** A session on loopback, of this process at both ends. */
export class OwnSession implements Disposable {
  readonly #listener = Deno.listen({ hostname: HOST, port: 0 });
  #clientPort = 0;
  #began = 0n; // nanoseconds since the epoch

  /** The server's port. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** Opens and closes it; the client closes first. @throws an error of the operating system */
  async play(): Promise<void> {
    this.#began = now();
    using client = await Deno.connect({ hostname: HOST, port: this.port });
    this.#clientPort = client.localAddr.port;
    using server = await this.#listener.accept();
    await exchange(client, server, SENT);
    await exchange(server, client, ANSWERED);
  }

  /** Whether `session` is the client's end. */
  isToldBy(session: Session): boolean {
    return session.localPort === this.#clientPort && session.peerPort === this.port;
  }

  /** What `session` has wrong; empty if all is right. */
  differences(session: Session): string[] {
    const early = session.startUnixNs < this.#began - TOLERANCE_NS;
    const late = session.endUnixNs > now() + TOLERANCE_NS;
    const { pid, txBytes, rxBytes } = session;
    return [
      pid === ownPid() ? [] : `the process is ${pid}, not ${Deno.pid}`,
      txBytes === SENT ? [] : `${txBytes} bytes were sent, not ${SENT}`,
      rxBytes === ANSWERED ? [] : `${rxBytes} bytes were received, not ${ANSWERED}`,
      early || late ? "its time is not that of the wall clock" : [],
    ].flat();
  }

  [Symbol.dispose](): void {
    this.#listener.close();
  }
}

async function exchange(from: Deno.Conn, to: Deno.Conn, bytes: number): Promise<void> {
  const writer = from.writable.getWriter();
  await writer.write(new Uint8Array(bytes));
  writer.releaseLock();
  const buffer = new Uint8Array(bytes);
  for (let read = 0; read < bytes;) {
    const count = await to.read(buffer.subarray(read));
    if (count === null) throw new Error("the session ended too early");
    read += count;
  }
}

/** Undefined without /proc, from which the kernel program gets the pid namespace. */
function ownPid(): number | undefined {
  return namespaceOf("self", "pid") === 0 ? undefined : Deno.pid;
}

function now(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}
