/** MPTCP (RFC 8684), with which Go 1.24 listens by default: a process has no socket of TCP. */
import { strict as assert } from "node:assert";
import { endingOf } from "../../src/session/ending.ts";
import type { Session } from "../../src/session/session.ts";
import { Actor, type ListenOptions, type SocketFamily } from "./actor.ts";
import { HashMap } from "../../ffi/hash_map.ts";
import { Pinned } from "../../ffi/pinned.ts";
import { unpin } from "../../src/capture/pin/unpin.ts";
import { STATE_ID } from "../../src/session/record_layout.ts";
import { BpfFileSystem } from "./bpf_file_system.ts";
import { hasPort, Trace } from "./harness.ts";
import { Namespace } from "./host.ts";
import { assertOwner } from "./owner.ts";
import { Scene } from "./scene.ts";
import { WORKER_USES } from "./worker_uses.ts";

const LOOPBACK = { family: "ipv4", address: "127.0.0.1", mptcp: true } as const;
const MPTCP: ListenOptions = { mptcp: true };

for (const { name, act, source } of WORKER_USES) {
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

interface EndingCase {
  readonly name: string;
  readonly act: (client: Actor, server: Actor) => Promise<unknown>;
  readonly client: string;
  readonly server: string;
  /** At the server's end. */
  readonly unread: number;
}

const ENDINGS: EndingCase[] = [
  {
    name: "the server closes first",
    act: async (client, server) => {
      await client.send("s", 1000);
      await server.receive("s", 1000);
      await server.close("s");
      await client.receiveFin("s");
      await client.close("s");
    },
    ...{ client: "peer fin", server: "local fin", unread: 0 },
  },
  {
    name: "the server closes with 600 bytes unread",
    act: async (client, server) => {
      await client.send("s", 1000);
      await server.receive("s", 400);
      await server.close("s");
      await client.receiveError("s");
      await client.close("s");
    },
    ...{ client: "peer reset", server: "local aborted", unread: 600 },
  },
  {
    name: "the client aborts, and the server closes with 900 bytes unread",
    act: async (client, server) => {
      await client.send("s", 1000);
      await server.receive("s", 100);
      await client.abort("s");
      await server.untilClosed("s");
      await server.close("s");
    },
    ...{ client: "local aborted", server: "peer reset", unread: 900 },
  },
  {
    name: "the client aborts, and the server reads what was left",
    act: async (client, server) => {
      await client.send("s", 1000);
      await server.receive("s", 100);
      await client.abort("s");
      await server.untilClosed("s");
      await server.receive("s", 900);
      await server.close("s");
    },
    ...{ client: "local aborted", server: "peer reset", unread: 0 },
  },
  {
    name: "the client closes, and then the server with 990 bytes unread",
    act: async (client, server) => {
      await client.send("s", 1000);
      await server.receive("s", 10);
      await client.close("s");
      // DATA_FIN was received: FIONREAD counts it as a byte
      while ((await server.info("s")).unread < 991) continue;
      await server.close("s");
    },
    ...{ client: "local fin", server: "peer aborted", unread: 990 },
  },
  {
    name: "both shut down, the server first, and the server leaves 300 bytes unread",
    act: async (client, server) => {
      await server.shutdown("s");
      await client.receiveFin("s");
      await client.send("s", 500);
      await client.shutdown("s");
      await server.receive("s", 200);
      await server.untilClosed("s");
      await server.close("s");
      await client.close("s");
    },
    ...{ client: "peer fin", server: "local fin", unread: 300 },
  },
  {
    name: "connect(AF_UNSPEC) ends it",
    act: async (client, server) => {
      await client.send("s", 10);
      await server.receive("s", 10);
      await client.disconnect("s");
      await server.receiveError("s");
      await server.close("s");
    },
    ...{ client: "local aborted", server: "peer reset", unread: 0 },
  },
  {
    name: "the server is killed",
    act: async (client, server) => {
      await client.send("s", 10);
      await server.receive("s", 10);
      await server.kill();
      await client.receiveFin("s");
      await client.close("s");
    },
    ...{ client: "peer fin", server: "local fin", unread: 0 },
  },
];

for (const { name, act, client, server, unread } of ENDINGS) {
  Deno.test(`an MPTCP session ends like one of TCP: ${name}`, async () => {
    await using scene = await Scene.open({ mptcp: true });
    await scene.connect();
    await act(scene.client, scene.server);
    const ends = await scene.trace.pair(scene.port);
    assertMptcp(ends);
    assert.deepEqual([endOf(ends.client), endOf(ends.server)], [client, server]);
    assert.equal(ends.server.unreadBytes, unread);
    assertOwner(ends.client, scene.client.process);
    assertOwner(ends.server, scene.server.process);
  });
}

Deno.test("an attempt at MPTCP that is refused has its process, and is no fallback", async () => {
  await using client = await Actor.start();
  await using trace = await Trace.start();
  const port = await client.reservePort("ipv4", "127.0.0.1");
  await client.failToConnect("s", { ...LOOPBACK, port });
  await client.close("s");
  const [attempt] = await trace.take(1, ({ peerPort }) => peerPort === port);
  assert.ok(attempt !== undefined);
  assertOwner(attempt, client.process);
  assert.equal(endOf(attempt), "peer refused");
  assert.equal(attempt.mptcp, undefined);
});

Deno.test("the owner of a passed MPTCP socket is the process that receives from it", async () => {
  await using scene = await Scene.open({ mptcp: true });
  const { client, server } = scene;
  await using worker = await Actor.start({ comm: "test-worker" });
  await scene.connect();
  await server.pass("s", worker);
  await server.close("s");
  await client.send("s", 100);
  await worker.receive("s", 100);
  await client.close("s");
  await worker.receiveFin("s");
  await worker.close("s");
  assertOwner((await scene.trace.pair(scene.port)).server, worker.process);
});

Deno.test("an idle MPTCP session from before the start has its processes, reported while open", async () => {
  await using client = await Actor.start({ comm: "test-client" });
  await using server = await Actor.start({ comm: "test-prefork" });
  const port = await server.listen("l", "ipv4", "127.0.0.1", MPTCP);
  await Promise.all([client.connect("s", { ...LOOPBACK, port }), server.accept("l", "s")]);
  await client.send("s", 500);
  await using trace = await Trace.start({ interim: 300 });
  await trace.until(2, (end) => end.interim === 1 && hasPort(port)(end));
  const reports = (await trace.finish(hasPort(port))).filter(({ interim }) => interim === 1);
  assert.equal(reports.length, 2);
  for (const report of reports) {
    const isClient = report.peerPort === port;
    assertOwner(report, isClient ? client.process : server.process);
    assert.equal(report.ownerSource, "fd_table");
    assert.equal(report.unreadBytes, isClient ? 0 : 500);
    assert.equal(report.mptcp, true);
  }
});

/** Which end is a socket of plain TCP, and what the other one then is. */
const FALLBACKS = [
  { name: "a server", client: true, server: false, mptcp: [false, undefined] },
  { name: "a client", client: false, server: true, mptcp: [undefined, undefined] },
] as const;

for (const { name, mptcp, ...asks } of FALLBACKS) {
  for (const isOld of [false, true]) {
    const age = isOld ? ", open before the start" : "";
    Deno.test(`MPTCP with ${name} of plain TCP is a session of TCP${age}`, async () => {
      await using client = await Actor.start();
      await using server = await Actor.start({ comm: "test-prefork" });
      await using first = isOld ? undefined : await Trace.start();
      const port = await server.listen("l", "ipv4", "127.0.0.1", { mptcp: asks.server });
      const worker = await server.fork();
      const target = { ...LOOPBACK, port, mptcp: asks.client };
      await Promise.all([client.connect("s", target), server.accept("l", "s")]);
      await using second = isOld ? await Trace.start() : undefined;
      await server.send("s", 1000);
      await client.receive("s", 1000);
      await client.send("s", 500);
      await server.receive("s", 500);
      await client.close("s");
      await server.receiveFin("s");
      await server.close("s");
      await server.leave();
      const ends = await (first ?? second)!.pair(port); // one of them is there
      assertOwner(ends.client, client.process);
      assertOwner(ends.server, worker);
      assert.deepEqual([ends.client.mptcp, ends.server.mptcp], mptcp);
      assert.deepEqual([ends.client.mptcpToken, ends.server.mptcpToken], [undefined, undefined]);
      assert.deepEqual([endOf(ends.client), endOf(ends.server)], ["local fin", "peer fin"]);
      assert.deepEqual([ends.client.txBytes, ends.client.rxBytes], [500, 1000]);
    });
  }
}

/** A second address of the client's host, from a documentation network (RFC 5737). */
const SECOND = "192.0.2.77";

/** Two namespaces, of which the nearer one opens a second subflow from SECOND. */
async function twoPaths() {
  await using stack = new AsyncDisposableStack();
  const near = stack.use(await Namespace.alone());
  const far = stack.use(await Namespace.make({ joinedTo: near }));
  await near.configure(`address add ${SECOND}/32 dev eth0`);
  await far.configure(`route add ${SECOND}/32 via ${far.here.ipv4}`);
  for (const side of [near, far]) await side.ip("mptcp", "limits", "set", "subflow", "2");
  await near.ip(..."mptcp endpoint add id 7 dev eth0 subflow".split(" "), SECOND);
  const client = stack.use(await Actor.start({ comm: "test-client", under: near.under }));
  const server = stack.use(await Actor.start({ comm: "test-prefork", under: far.under }));
  const port = await server.listen("l", "ipv4", far.there.ipv4, MPTCP);
  const worker = await server.fork();
  const moved = stack.move();
  return {
    ...{ near, client, server, worker, port },
    /** Connects, and waits until the second subflow has joined. */
    async connect(): Promise<void> {
      const target = { ...LOOPBACK, address: far.there.ipv4, port };
      await Promise.all([client.connect("s", target), server.accept("l", "s")]);
      await client.send("s", 1000); // the first data completes the handshake
      await server.receive("s", 1000);
      const joined = ["ss", "-tnH", "state", "established", "src", SECOND];
      while (!(await near.run(...joined)).includes(`:${port}`)) continue;
    },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

for (const isOld of [false, true]) {
  const age = isOld ? ", open before the start," : "";
  Deno.test(`each of two subflows${age} is a session, which the connection's processes own`, async () => {
    await using scene = await twoPaths();
    const { client, server, worker, port } = scene;
    await using first = isOld ? undefined : await Trace.start();
    await scene.connect();
    await using second = isOld ? await Trace.start() : undefined;
    await Promise.all([client.send("s", 999_000), server.receive("s", 998_900)]);
    await server.close("s");
    await client.receiveError("s");
    await client.close("s");
    await server.leave();
    const ends = await (first ?? second)!.take(4, hasPort(port)); // one of them is there
    const clients = ends.filter(({ peerPort }) => peerPort === port);
    const servers = ends.filter(({ localPort }) => localPort === port);
    assert.deepEqual([clients.length, servers.length], [2, 2]);
    for (const end of clients) assertOwner(end, client.process);
    for (const end of servers) assertOwner(end, worker);
    for (const own of [clients, servers]) {
      assert.deepEqual(own.map(({ mptcp }) => mptcp), [true, true]);
      assert.deepEqual(own.map(({ mptcpJoined }) => mptcpJoined).sort(), [false, true]);
      assert.equal(new Set(own.map(({ mptcpToken }) => mptcpToken)).size, 1);
      assert.ok(own[0]?.mptcpToken !== undefined);
    }
    assert.deepEqual(servers.map(endOf), ["local aborted", "local aborted"]);
    assert.deepEqual(clients.map(endOf), ["peer reset", "peer reset"]);
    // one queue for both: it counts at the first
    assert.equal(servers.find((end) => !end.mptcpJoined)?.unreadBytes, 100);
    assert.equal(servers.find((end) => end.mptcpJoined)?.unreadBytes, 0);
    const received = servers.reduce((sum, { rxBytes }) => sum + rxBytes, 0);
    assert.ok(received >= 1_000_000, `${received}`); // more if MPTCP sent something again
    for (const end of clients) {
      const peer = servers.find(({ peerPort }) => peerPort === end.localPort);
      assert.equal(peer?.initialSequenceNumbers?.peer, end.initialSequenceNumbers?.local);
      assert.equal(peer?.initialSequenceNumbers?.local, end.initialSequenceNumbers?.peer);
      assert.equal(peer?.mptcpJoined, end.mptcpJoined);
    }
  });
}

Deno.test("a subflow that ends before its connection has that one's process, and an end of its own", async () => {
  await using scene = await twoPaths();
  const { near, client, server, worker, port } = scene;
  await using trace = await Trace.start();
  await scene.connect();
  await near.ip("mptcp", "endpoint", "delete", "id", "7");
  assert.ok(await trace.until(2, ({ mptcpJoined }) => mptcpJoined));
  await client.send("s", 500);
  await server.receive("s", 500);
  await server.close("s");
  await client.receiveFin("s");
  await client.close("s");
  await server.leave();
  const ends = await trace.take(4, hasPort(port));
  const ofKind = (role: Session["role"], joined: boolean) =>
    ends.find((end) => end.role === role && end.mptcpJoined === joined);
  const found = [
    ofKind("active", true),
    ofKind("passive", true),
    ofKind("active", false),
    ofKind("passive", false),
  ];
  const wanted = ["local fin", "peer fin", "peer fin", "local fin"];
  found.forEach((end, i) => {
    assert.ok(end !== undefined);
    assertOwner(end, end.role === "active" ? client.process : worker);
    assert.equal(endOf(end), wanted[i]);
  });
});

Deno.test("nothing is kept of MPTCP connections that are gone", async () => {
  await using system = await BpfFileSystem.mount();
  await using client = await Actor.start();
  await using server = await Actor.start();
  const pin = `${system.path}/tcpspan`;
  using _pinned = { [Symbol.dispose]: () => unpin(pin) };
  await using trace = await Trace.start({ pin });
  using pinned = new Pinned(`${pin}/${STATE_ID}/connections`);
  const map = new HashMap(pinned.fd);
  const count = () => [...map.entries()].reduce((sum, entries) => sum + entries.count, 0);
  const before = count();
  const port = await server.listen("l", "ipv4", "127.0.0.1", MPTCP);
  assert.equal(count(), before + 1);
  for (let i = 0; i < 5; i++) {
    await Promise.all([client.connect("fin", { ...LOOPBACK, port }), server.accept("l", "fin")]);
    await client.close("fin");
    await server.receiveFin("fin");
    await server.close("fin");
    await Promise.all([
      client.connect("unread", { ...LOOPBACK, port }),
      server.accept("l", "unread"),
    ]);
    await client.send("unread", 10);
    await server.close("unread");
    await client.close("unread");
  }
  const closed = await client.reservePort("ipv4", "127.0.0.1");
  await client.failToConnect("refused", { ...LOOPBACK, port: closed });
  await client.close("refused");
  const unused = "import socket; [socket.socket(socket.AF_INET, 1, 262) for _ in range(20)]";
  assert.ok((await new Deno.Command("python3", { args: ["-c", unused] }).output()).success);
  for (let i = 0; i < 5; i++) await client.connect(`waits${i}`, { ...LOOPBACK, port });
  await server.close("l");
  for (let i = 0; i < 5; i++) await client.close(`waits${i}`);
  const sessions = 5 * 3 * 2;
  assert.equal((await trace.take(sessions, hasPort(port))).length, sessions);
  assert.ok(count() <= before, `${count()} connections are kept, ${before} before`);
});
