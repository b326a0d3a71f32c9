/** How sessions end: the rows of "How it ended" in docs/kernel.md that one host can play. */
import { strict as assert } from "node:assert";
import { constants } from "node:os";
import { endingOf } from "../../src/session/ending.ts";
import type { TcpState } from "../../src/session/session.ts";
import { Actor, type Stamps } from "./actor.ts";
import { assertWithin, hasPort, Trace } from "./harness.ts";
import { Scene } from "./scene.ts";

const { errno } = constants;

interface Expected {
  readonly last: TcpState;
  readonly by: string;
  readonly reason: string;
  /** error.type. */
  readonly error?: string;
}

interface Case {
  readonly name: string;
  readonly act: (scene: Scene) => Promise<unknown>;
  readonly client: Expected;
  readonly server: Expected;
}

const CASES: Case[] = [
  {
    name: "the client's FIN comes first",
    act: async ({ client, server }) => {
      await client.close("s");
      await server.receiveFin("s");
      await server.close("s");
    },
    client: { last: "fin_wait2", by: "local", reason: "fin" },
    server: { last: "last_ack", by: "peer", reason: "fin" },
  },
  {
    name: "the server's FIN comes first",
    act: async ({ client, server }) => {
      await server.close("s");
      await client.receiveFin("s");
      await client.close("s");
    },
    client: { last: "last_ack", by: "peer", reason: "fin" },
    server: { last: "fin_wait2", by: "local", reason: "fin" },
  },
  {
    name: "the client shuts down, and the server closes later",
    act: async ({ client, server }) => {
      await client.shutdown("s");
      await server.receiveFin("s");
      await server.close("s");
      await client.receiveFin("s");
      await client.close("s");
    },
    client: { last: "fin_wait2", by: "local", reason: "fin" },
    server: { last: "last_ack", by: "peer", reason: "fin" },
  },
  {
    name: "the client aborts with SO_LINGER and 0",
    act: async ({ client, server }) => {
      await client.abort("s");
      await server.receiveError("s");
      await server.close("s");
    },
    client: { last: "established", by: "local", reason: "aborted" },
    server: { last: "established", by: "peer", reason: "reset", error: "connection_reset" },
  },
  {
    name: "the server closes with unread data",
    act: async ({ client, server }) => {
      await client.send("s", 10);
      await server.close("s");
      await client.receiveError("s");
      await client.close("s");
    },
    client: { last: "established", by: "peer", reason: "reset", error: "connection_reset" },
    server: { last: "established", by: "local", reason: "aborted" },
  },
  {
    name: "the server resets after its FIN",
    act: async ({ client, server }) => {
      await server.shutdown("s");
      await client.receiveFin("s");
      await server.untilAcknowledged("s");
      await server.abort("s");
      await client.close("s");
    },
    client: { last: "close_wait", by: "peer", reason: "reset", error: "connection_reset" },
    server: { last: "fin_wait2", by: "local", reason: "aborted" },
  },
  {
    name: "the client disconnects with AF_UNSPEC",
    act: async ({ client, server }) => {
      await client.disconnect("s");
      await server.receiveError("s");
      await server.close("s");
    },
    client: { last: "established", by: "local", reason: "aborted" },
    server: { last: "established", by: "peer", reason: "reset", error: "connection_reset" },
  },
  {
    name: "the client is killed",
    act: async ({ client, server }) => {
      await client.kill();
      await server.receiveFin("s");
      await server.close("s");
    },
    client: { last: "fin_wait2", by: "local", reason: "fin" },
    server: { last: "last_ack", by: "peer", reason: "fin" },
  },
];

for (const { name, act, ...expected } of CASES) {
  Deno.test(`endingOf() recognizes at both ends that ${name}`, async () => {
    await using scene = await Scene.open();
    await scene.connect();
    await act(scene);
    const ends = await scene.trace.pair(scene.port);
    for (const role of ["client", "server"] as const) {
      const { by, reason, error } = endingOf(ends[role]);
      const found = { last: ends[role].lastState, by, reason, error: error?.type };
      assert.deepEqual(found, { error: undefined, ...expected[role] }, role);
    }
  });
}

Deno.test("capture() reports a refused attempt: its error, its owner, its times", async () => {
  await using trace = await Trace.start();
  await using client = await Actor.start();
  const port = await client.reservePort("ipv4", "127.0.0.1");
  const target = { family: "ipv4", address: "127.0.0.1", port } as const;
  const attempt = await client.failToConnect("s", target);
  assert.equal(attempt.errno, errno.ECONNREFUSED);
  const [session] = await trace.take(1, hasPort(port));
  assert.ok(session !== undefined);
  assert.equal(session.role, "active");
  assert.equal(session.established, false);
  assert.equal(session.lastState, "syn_sent");
  assert.equal(session.errno, errno.ECONNREFUSED);
  assert.equal(session.peerPort, port);
  assert.equal(session.pid, client.process.pid);
  assert.equal(session.ownerSource, "connect");
  assert.deepEqual([session.txBytes, session.rxBytes, session.unackedBytes], [0, 0, 0]);
  assert.equal(session.establishedUnixNs, undefined);
  assert.equal(session.initialSequenceNumbers, undefined);
  assert.notEqual(session.attemptSequenceNumber, 0);
  assertWithin("start", session.startBootNs, attempt.before_ns, attempt.after_ns);
  const duration = attempt.after_ns - attempt.before_ns;
  assertWithin("end", session.endUnixNs - session.startUnixNs, 0n, duration);
  assert.equal(endingOf(session).error?.type, "connection_refused");
});

Deno.test("capture() reports each attempt of a socket that tries again", async () => {
  await using trace = await Trace.start();
  await using client = await Actor.start();
  const port = await client.reservePort("ipv4", "127.0.0.1");
  const target = { family: "ipv4", address: "127.0.0.1", port } as const;
  const attempts: Stamps[] = [];
  for (let i = 0; i < 3; i++) attempts.push(await client.failToConnect("s", target));
  const sessions = await trace.take(3, hasPort(port));
  sessions.forEach((session, i) => {
    const attempt = attempts[i];
    assert.ok(attempt !== undefined);
    assertWithin("start", session.startBootNs, attempt.before_ns, attempt.after_ns);
    assert.deepEqual([session.txBytes, session.unackedBytes], [0, 0]);
  });
  assert.equal(new Set(sessions.map(({ cookie }) => cookie)).size, 1);
});

Deno.test("capture() reports both sessions of a socket that disconnects and connects again", async () => {
  await using scene = await Scene.open();
  const { client, server, port, trace } = scene;
  for (const bytes of [10, 20]) {
    await scene.connect();
    await client.send("s", bytes);
    await server.receive("s", bytes);
    await client.disconnect("s");
    await server.receiveError("s");
    await server.close("s");
  }
  const sessions = await trace.take(4, hasPort(port));
  const clients = sessions.filter(({ peerPort }) => peerPort === port);
  assert.deepEqual(clients.map(({ txBytes }) => txBytes), [10, 20]);
  assert.ok(clients.every(({ role, pid }) => role === "active" && pid === client.process.pid));
});

Deno.test("capture() reports the owner of a session whose process was killed", async () => {
  await using scene = await Scene.open();
  await scene.connect();
  await scene.client.kill();
  await scene.server.receiveFin("s");
  await scene.server.close("s");
  const { client } = await scene.trace.pair(scene.port);
  assert.equal(client.pid, scene.client.process.pid);
  assert.equal(client.comm, scene.client.process.comm);
  assert.equal(client.executable, scene.client.process.exe);
});

Deno.test("capture() reports a session that nobody accepted when its listener closes", async () => {
  await using trace = await Trace.start();
  await using client = await Actor.start();
  await using server = await Actor.start();
  const port = await server.listen("l", "ipv4", "127.0.0.1");
  await client.connect("s", { family: "ipv4", address: "127.0.0.1", port });
  await server.close("l");
  await client.receiveError("s");
  await client.close("s");
  const ends = await trace.pair(port);
  assert.equal(ends.server.pid, server.process.pid);
  assert.equal(ends.server.ownerSource, "listen");
  const { by, reason, error } = endingOf(ends.server);
  assert.deepEqual([by, reason, error], ["local", "aborted", undefined]);
});

Deno.test("finSentUnixNs is when shutdown() queued the FIN, also if close() comes before its acknowledgement", async () => {
  await using scene = await Scene.open();
  const { client, server, trace, port } = scene;
  await scene.connect();
  const sent = await client.sendUntilFull("s"); // the FIN waits after it
  const shut = await client.shutdown("s");
  await new Promise((resolve) => setTimeout(resolve, 20));
  await client.close("s");
  await server.receive("s", sent);
  await server.receiveFin("s");
  await server.close("s");
  const { finSentUnixNs } = (await trace.pair(port)).client;
  assert.ok(finSentUnixNs !== undefined);
  const margin = 100_000n;
  assertWithin("FIN", finSentUnixNs, shut.wall_before_ns - margin, shut.wall_after_ns + margin);
});
