/** Sessions on the guest's loopback interface, and what must be reported of them. */
import { strict as assert } from "node:assert";
import type { Session } from "../../../src/session/session.ts";
import { hasPort, summary, type Trace } from "../../kernel/harness.ts";

/** A session between two sockets of this process. */
export class Pair implements Disposable {
  private constructor(
    readonly client: Deno.TcpConn,
    readonly server: Deno.TcpConn,
    readonly listener: Deno.TcpListener,
  ) {}

  static open(hostname = "127.0.0.1"): Promise<Pair> {
    return Pair.between(Deno.listen({ hostname, port: 0 }));
  }

  /** Makes one through this listener, which the pair closes. */
  static async between(listener: Deno.TcpListener): Promise<Pair> {
    const { hostname, port } = listener.addr;
    const [client, server] = await Promise.all([
      Deno.connect({ hostname, port }),
      listener.accept(),
    ]);
    return new Pair(client, server, listener);
  }

  get port(): number {
    return this.listener.addr.port;
  }

  /** Sends both ways, one direction after the other. */
  async exchange(fromClient: number, fromServer: number): Promise<void> {
    await Promise.all([send(this.client, fromClient), receive(this.server, fromClient)]);
    await Promise.all([send(this.server, fromServer), receive(this.client, fromServer)]);
  }

  /** Closes the client, and the server once it has read the client's FIN. */
  async close(): Promise<void> {
    this.client.close();
    assert.equal(await this.server.read(new Uint8Array(1)), null);
    this.server.close();
    this.listener.close();
  }

  [Symbol.dispose](): void {
    for (const { close } of [this.client, this.server, this.listener].map(closer)) close();
  }
}

function closer(resource: Disposable) {
  return {
    close: () => {
      try {
        resource[Symbol.dispose]();
      } catch {
        // it was closed before
      }
    },
  };
}

/** Writes `bytes` bytes. */
export async function send(connection: Deno.TcpConn, bytes: number): Promise<void> {
  const data = new Uint8Array(bytes);
  for (let at = 0; at < bytes;) at += await connection.write(data.subarray(at));
}

/** Reads exactly `bytes` bytes. */
export async function receive(connection: Deno.TcpConn, bytes: number): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  for (let left = bytes; left > 0;) {
    const count = await connection.read(buffer.subarray(0, Math.min(left, buffer.length)));
    assert.ok(count !== null, `the peer closed ${left} bytes early`);
    left -= count;
  }
}

/** Plays a complete session. @returns the listener's port */
export async function play(
  fromClient = 1000,
  fromServer = 2000,
  hostname = "127.0.0.1",
): Promise<number> {
  using pair = await Pair.open(hostname);
  await pair.exchange(fromClient, fromServer);
  await pair.close();
  return pair.port;
}

/** Fields that an end must have. */
export type Expected = Partial<
  Pick<
    Session,
    | "role"
    | "pid"
    | "comm"
    | "executable"
    | "ownerSource"
    | "txBytes"
    | "rxBytes"
    | "errno"
    | "startObserved"
    | "interim"
    | "family"
    | "localAddress"
    | "peerAddress"
    | "lastState"
  >
>;

/** Fails with all differences. */
export function assertEnd(end: Session | undefined, expected: Expected): void {
  assert.ok(end !== undefined, "an end is missing");
  const faults = Object.entries(expected)
    .map(([key, value]) => ({ key, value, found: end[key as keyof Expected] }))
    .filter(({ value, found }) => value !== found)
    .map(({ key, value, found }) => `${key} is ${found} and not ${value}`);
  assert.ok(faults.length === 0, `${faults.join(", ")}, of ${summary(end)}`);
}

/** This process, as owner. */
export const SELF: Expected = { pid: Deno.pid, comm: "deno", executable: "deno" };

/** Fails unless there are both ends of one session, which this process played with `play()`. */
export async function assertPlayed(
  trace: Trace,
  port: number,
  fromClient = 1000,
  fromServer = 2000,
): Promise<{ client: Session; server: Session }> {
  const ends = await trace.pair(port);
  assertEnd(ends.client, { ...SELF, role: "active", txBytes: fromClient, rxBytes: fromServer });
  assertEnd(ends.server, { ...SELF, role: "passive", txBytes: fromServer, rxBytes: fromClient });
  assert.equal(ends.client.localPort, ends.server.peerPort);
  return ends;
}

/** Stops, and fails if anything has this port. */
export async function assertNothing(trace: Trace, port: number): Promise<void> {
  const found = await trace.finish(hasPort(port));
  assert.equal(found.length, 0, found.map(summary).join("; "));
}
