/**
 * Sessions that nobody accepted, whose listener closes: with net.ipv4.tcp_migrate_req the kernel
 * hands them to another listener of the port, which owns them from then on.
 */
import { strict as assert } from "node:assert";
import { endingOf } from "../../src/session/ending.ts";
import type { OwnerSource } from "../../src/session/session.ts";
import { Actor, type ProcessTruth, type SocketFamily } from "./actor.ts";
import { Trace } from "./harness.ts";
import { Namespace } from "./host.ts";
import { assertOwner } from "./owner.ts";

interface Case {
  readonly name: string;
  /** net.ipv4.tcp_migrate_req */
  readonly migrates: boolean;
  /** What happens to a session in the queue of the first listener. @returns the owner */
  readonly act: (listeners: Listeners) => Promise<ProcessTruth>;
  readonly source: OwnerSource;
  readonly reason: "aborted" | "fin" | "reset";
}

const CASES: Case[] = [
  {
    name: "that closes, without a migration",
    migrates: false,
    act: async ({ first }) => {
      await first.close("l");
      return first.process;
    },
    source: "listen",
    reason: "aborted",
  },
  {
    name: "that the session moved to, and that closes",
    migrates: true,
    act: async (listeners) => {
      const second = await listeners.move();
      await second.close("l");
      return second.process;
    },
    source: "listen",
    reason: "aborted",
  },
  {
    name: "that the session moved to, and whose process dies",
    migrates: true,
    act: async (listeners) => {
      const second = await listeners.move();
      await second.kill();
      return second.process;
    },
    source: "listen",
    reason: "aborted",
  },
  {
    name: "that the session moved to from a process that died",
    migrates: true,
    act: async (listeners) => {
      const second = await listeners.add();
      await listeners.first.kill();
      await second.close("l");
      return second.process;
    },
    source: "listen",
    reason: "aborted",
  },
  {
    name: "that the session moved to from a second one",
    migrates: true,
    act: async (listeners) => {
      const second = await listeners.move();
      const third = await listeners.add();
      await second.close("l");
      await third.close("l");
      return third.process;
    },
    source: "listen",
    reason: "aborted",
  },
  {
    name: "that the session moved to, and that closes after the client's FIN",
    migrates: true,
    act: async (listeners) => {
      const second = await listeners.move();
      await listeners.client.shutdown("s");
      await listeners.client.untilAcknowledged("s");
      await second.close("l");
      return second.process;
    },
    source: "listen",
    reason: "aborted",
  },
  {
    name: "that the session moved to, and that accepts it",
    migrates: true,
    act: async (listeners) => {
      const second = await listeners.move();
      await second.accept("l", "s");
      await second.close("s");
      return second.process;
    },
    source: "close",
    reason: "fin",
  },
  {
    name: "that the session moved to, and whose worker uses it",
    migrates: true,
    act: async (listeners) => {
      const second = await listeners.move();
      const worker = await second.fork();
      await second.accept("l", "s");
      await second.send("s", 10);
      await second.close("s");
      await listeners.client.receive("s", 10);
      await second.leave();
      return worker;
    },
    source: "recv",
    reason: "fin",
  },
];

for (const { name, migrates, act, source, reason } of CASES) {
  for (const family of ["ipv4", "ipv6"] as const) {
    Deno.test(`an unaccepted session is owned by the listener ${name}, ${family}`, async () => {
      await using listeners = await Listeners.start(family, migrates);
      await using trace = await Trace.start();
      await listeners.connect();
      const owner = await act(listeners);
      await listeners.client.close("s");
      const ends = await trace.pair(listeners.target.port);
      assertOwner(ends.server, owner);
      assert.equal(ends.server.ownerSource, source);
      assert.equal(endingOf(ends.server).reason, reason);
    });
  }
}

Deno.test("an unaccepted session that moved and is reset there has no owner: nothing names its listener", async () => {
  await using listeners = await Listeners.start("ipv4", true);
  await using trace = await Trace.start();
  await listeners.connect();
  const second = await listeners.move();
  await listeners.client.abort("s");
  const ends = await trace.pair(listeners.target.port);
  assert.deepEqual([ends.server.pid, ends.server.ownerSource], [undefined, "unknown"]);
  assert.equal(endingOf(ends.server).reason, "reset");
  await second.close("l");
});

Deno.test("a report of an unaccepted session that moved has no owner", async () => {
  await using listeners = await Listeners.start("ipv4", true);
  const { target } = listeners;
  await using trace = await Trace.start({ reportOpenOnExit: true });
  await listeners.connect();
  await listeners.move();
  const reports = await trace.finish(({ localPort }) => localPort === target.port);
  const found = reports.map(({ interim, pid, ownerSource }) => ({ interim, pid, ownerSource }));
  assert.deepEqual(found, [{ interim: 1, pid: undefined, ownerSource: "unknown" }]);
});

/** A client, and listeners of one port, each in a process of its own. */
class Listeners implements AsyncDisposable {
  private constructor(
    readonly client: Actor,
    readonly first: Actor,
    readonly target: { family: SocketFamily; address: string; port: number },
    readonly under: string[],
    readonly resources: AsyncDisposableStack,
  ) {}

  /** Starts the client and the first listener. */
  static async start(family: SocketFamily, migrates: boolean): Promise<Listeners> {
    await using resources = new AsyncDisposableStack();
    const namespace = resources.use(await Namespace.alone());
    await namespace.configure("link set lo up");
    await namespace.sysctl("ipv4.tcp_migrate_req", Number(migrates));
    const { under } = namespace;
    const client = resources.use(await Actor.start({ under, comm: "test-client" }));
    const first = resources.use(await Actor.start({ under, comm: "test-first" }));
    const address = family === "ipv4" ? "127.0.0.1" : "::1";
    const port = await first.listen("l", family, address, { reuse_port: true });
    const target = { family, address, port };
    return new Listeners(client, first, target, under, resources.move());
  }

  /** Connects, and waits until the session is in the queue of the first listener. */
  async connect(): Promise<void> {
    await this.client.connect("s", this.target);
    while (!await this.first.isReady("l"));
  }

  /** Starts another listener. */
  async add(): Promise<Actor> {
    const { family, address, port } = this.target;
    const actor = this.resources.use(await Actor.start({ under: this.under, comm: "test-next" }));
    await actor.listen("l", family, address, { port, reuse_port: true });
    return actor;
  }

  /** Starts another listener, and closes the first. @returns the second */
  async move(): Promise<Actor> {
    const second = await this.add();
    await this.first.close("l");
    return second;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.resources.disposeAsync();
  }
}
