/** MPTCP (RFC 8684), with which Go 1.24 listens by default: a process has no socket of TCP. */
import { strict as assert } from "node:assert";
import { endingOf } from "../../src/session/ending.ts";
import type { OwnerSource, Session } from "../../src/session/session.ts";
import { Actor, type ListenOptions, type SocketFamily } from "./actor.ts";
import { Trace } from "./harness.ts";
import { assertOwner } from "./owner.ts";
import { Scene } from "./scene.ts";

const LOOPBACK = { family: "ipv4", address: "127.0.0.1", mptcp: true } as const;
const MPTCP: ListenOptions = { mptcp: true };

interface Use {
  readonly name: string;
  readonly act: (client: Actor, server: Actor) => Promise<unknown>;
  readonly source: OwnerSource;
}

/** What a worker does with a connection that it accepted on its parent's listener. */
const USES: Use[] = [
  {
    name: "receives",
    act: async (client, server) => {
      await client.send("s", 1000);
      await server.receive("s", 1000);
    },
    source: "recv",
  },
  {
    name: "only sends",
    act: async (client, server) => {
      await server.send("s", 1000);
      await client.receive("s", 1000);
    },
    source: "recv",
  },
  { name: "only closes", act: () => Promise.resolve(), source: "close" },
];

for (const { name, act, source } of USES) {
  for (const isOld of [false, true]) {
    const age = isOld ? ", open before the start," : "";
    Deno.test(`the owner of an MPTCP session${age} is the prefork worker that ${name}`, async () => {
      await using client = await Actor.start();
      await using server = await Actor.start({ comm: "test-prefork" });
      await using first = isOld ? undefined : await Trace.start();
      const port = await server.listen("l", "ipv4", "127.0.0.1", MPTCP);
      const worker = await server.fork();
      await Promise.all([client.connect("s", { ...LOOPBACK, port }), server.accept("l", "s")]);
      await using second = isOld ? await Trace.start() : undefined;
      await act(client, server);
      await server.close("s");
      await client.receiveFin("s");
      await client.close("s");
      await server.leave();
      const ends = await (first ?? second)!.pair(port); // one of them is there
      assertOwner(ends.server, worker);
      assert.equal(ends.server.ownerSource, source);
      assertOwner(ends.client, client.process);
      if (!isOld) assert.equal(ends.client.ownerSource, "connect");
      assertMptcp(ends);
    });
  }
}

/** Fails unless both ends are those of one MPTCP connection's only subflow. */
function assertMptcp({ client, server }: { client: Session; server: Session }): void {
  for (const end of [client, server]) {
    assert.deepEqual([end.mptcp, end.mptcpJoined], [true, false]);
    assert.ok(end.mptcpToken !== undefined);
  }
  assert.deepEqual([client.role, server.role], ["active", "passive"]);
  const [ours, theirs] = [client.initialSequenceNumbers, server.initialSequenceNumbers];
  assert.ok(ours !== undefined && theirs !== undefined);
  assert.deepEqual([theirs.peer, theirs.local], [ours.local, ours.peer]);
}

interface Address {
  readonly name: string;
  readonly listen: { readonly family: SocketFamily; readonly address: string };
  readonly connect: { readonly family: SocketFamily; readonly address: string };
  readonly addresses: readonly [string, string];
}

const ADDRESSES: Address[] = [
  {
    name: "IPv4",
    listen: { family: "ipv4", address: "127.0.0.1" },
    connect: { family: "ipv4", address: "127.0.0.1" },
    addresses: ["127.0.0.1", "127.0.0.1"],
  },
  {
    name: "IPv6",
    listen: { family: "ipv6", address: "::1" },
    connect: { family: "ipv6", address: "::1" },
    addresses: ["::1", "::1"],
  },
  {
    name: "IPv4 at a dual-stack listener",
    listen: { family: "dual", address: "::" },
    connect: { family: "ipv4", address: "127.0.0.1" },
    addresses: ["127.0.0.1", "127.0.0.1"],
  },
];

for (const { name, listen, connect, addresses } of ADDRESSES) {
  Deno.test(`both ends of an MPTCP session over ${name} are right like those of TCP`, async () => {
    await using scene = await Scene.open({ listen, connect, mptcp: true });
    const { client, server } = scene;
    await scene.connect();
    await scene.exchange(100_000, 20_000);
    await client.close("s");
    await server.receiveFin("s");
    await server.close("s");
    const ends = await scene.trace.pair(scene.port);
    assertMptcp(ends);
    assertOwner(ends.client, client.process);
    assertOwner(ends.server, server.process);
    assert.deepEqual([ends.client.localAddress, ends.server.localAddress], addresses);
    assert.deepEqual([ends.client.txBytes, ends.client.rxBytes], [100_000, 20_000]);
    assert.deepEqual([ends.server.txBytes, ends.server.rxBytes], [20_000, 100_000]);
    assert.deepEqual([ends.client.unreadBytes, ends.server.unreadBytes], [0, 0]);
    assert.ok(ends.client.handshakeUs !== undefined && ends.client.handshakeUs < 100_000);
    assert.deepEqual([endOf(ends.client), endOf(ends.server)], ["local fin", "peer fin"]);
  });
}

function endOf(session: Session): string {
  const { by, reason } = endingOf(session);
  return `${by} ${reason}`;
}
