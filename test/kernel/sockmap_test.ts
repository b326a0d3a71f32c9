/** Sockets in a sockmap, whose programs hand on bytes that TCP never counts. */
import { strict as assert } from "node:assert";
import type { SocketFamily } from "./actor.ts";
import { Actor } from "./actor.ts";
import { Trace } from "./harness.ts";

const ADDRESS = { ipv4: "127.0.0.1", ipv6: "::1", dual: "127.0.0.1" } as const;

interface Case {
  readonly name: string;
  readonly family?: SocketFamily;
  /** Whether the session is older than the tracer. */
  readonly existing?: boolean;
  /** With a connected client `c` and its server `s`, in one process. */
  readonly act: (actor: Actor) => Promise<unknown>;
  /** Whether the client's and the server's bytes may have passed TCP by. */
  readonly bypassed: readonly [client: boolean, server: boolean];
  /** What TCP counted. */
  readonly client: readonly [tx: number, rx: number];
}

const CASES: Case[] = [
  {
    name: "without a sockmap",
    act: async (actor) => {
      await send(actor, "c", "s", 1000);
      await end(actor, "c", "s");
    },
    bypassed: [false, false],
    client: [1000, 0],
  },
  ...(["ipv4", "ipv6"] as const).map((family): Case => ({
    name: `what the client sends reaches the server's process at once, ${family}`,
    family,
    act: async (actor) => {
      await actor.makeSockmap(["c", "s"], { kind: "msg", to: 1 });
      await send(actor, "c", "s", 1000);
      await end(actor, "c", "s");
    },
    bypassed: [true, true],
    client: [0, 0],
  })),
  {
    name: "the server only receives, and closes first",
    act: async (actor) => {
      await actor.makeSockmap(["c", "s"], { kind: "msg", to: 1 });
      await send(actor, "c", "s", 1000);
      await end(actor, "s", "c");
    },
    bypassed: [true, true],
    client: [0, 0],
  },
  {
    name: "what the server sends leaves by the client's socket, whose process does nothing",
    act: async (actor) => {
      await actor.makeSockmap(["s", "c"], { kind: "msg", to: 1, ingress: false });
      await send(actor, "s", "s", 1000); // s's bytes leave by c
      await end(actor, "c", "s");
    },
    bypassed: [false, true],
    client: [1000, 0],
  },
  {
    name: "a program passes all, and TCP counts it",
    act: async (actor) => {
      await actor.makeSockmap(["c"], { kind: "msg" });
      await send(actor, "c", "s", 1000);
      await end(actor, "c", "s");
    },
    bypassed: [true, false],
    client: [1000, 0],
  },
  {
    name: "a program passes what TCP received",
    act: async (actor) => {
      await actor.makeSockmap(["s"], { kind: "skb" });
      await send(actor, "c", "s", 1000);
      await end(actor, "c", "s");
    },
    bypassed: [false, true],
    client: [1000, 0],
  },
  {
    name: "the socket leaves the sockmap, and TCP takes over",
    act: async (actor) => {
      await actor.makeSockmap(["c", "s"], { kind: "msg", to: 1 });
      await send(actor, "c", "s", 1000);
      await actor.leaveSockmap(0);
      await send(actor, "c", "s", 17);
      await end(actor, "c", "s");
    },
    bypassed: [true, true],
    client: [17, 0],
  },
  {
    name: "the client aborts",
    act: async (actor) => {
      await actor.makeSockmap(["c", "s"], { kind: "msg", to: 1 });
      await send(actor, "c", "s", 1000);
      await actor.abort("c");
      await actor.untilClosed("s");
      await actor.close("s");
    },
    bypassed: [true, true],
    client: [0, 0],
  },
  {
    name: "sockets that were in it before the start, and send no more",
    existing: true,
    act: (actor) => end(actor, "c", "s"),
    bypassed: [true, true],
    client: [0, 0],
  },
];

for (const { name, family = "ipv4", existing, act, bypassed, client } of CASES) {
  Deno.test(`bytes that pass TCP by: ${name}`, async () => {
    await using actor = await Actor.start({ comm: "test-sockmap" });
    const port = await actor.listen("l", family, ADDRESS[family]);
    const open = async () => {
      await actor.connect("c", { family, address: ADDRESS[family], port });
      await actor.accept("l", "s");
    };
    if (existing === true) {
      await open();
      await actor.makeSockmap(["c", "s"], { kind: "msg", to: 1 });
      await send(actor, "c", "s", 1000);
    }
    await using trace = await Trace.start();
    if (existing !== true) await open();
    await act(actor);
    const ends = await trace.pair(port);
    assert.deepEqual([ends.client.bytesBypassed, ends.server.bytesBypassed], bypassed);
    assert.deepEqual([ends.client.txBytes, ends.client.rxBytes], client);
    assert.deepEqual([ends.server.rxBytes, ends.server.txBytes], client);
    assert.equal(ends.server.pid, actor.process.pid);
  });
}

Deno.test("the process that only receives what passes TCP by owns its end", async () => {
  await using trace = await Trace.start();
  await using parent = await Actor.start({ comm: "test-sockmap" });
  const port = await parent.listen("l", "ipv4", "127.0.0.1");
  const worker = await parent.fork();
  await parent.connect("c", { family: "ipv4", address: "127.0.0.1", port });
  await parent.accept("l", "s");
  await parent.makeSockmap(["c", "s"], { kind: "msg", to: 1 });
  await send(parent, "c", "s", 1000);
  await parent.abort("c"); // the server's end is over before it is closed
  await parent.untilClosed("s");
  const { server } = await trace.pair(port);
  assert.equal(server.pid, worker.pid);
  assert.equal(server.ownerSource, "recv");
  await parent.leave();
});

async function send(actor: Actor, from: string, to: string, bytes: number): Promise<void> {
  await actor.send(from, bytes);
  await actor.receive(to, bytes);
}

async function end(actor: Actor, first: string, second: string): Promise<void> {
  await actor.close(first);
  await actor.receiveFin(second);
  await actor.close(second);
}
