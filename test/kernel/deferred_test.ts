/** Listeners with TCP_DEFER_ACCEPT: the kernel makes their sockets when data comes. */
import { strict as assert } from "node:assert";
import type { Session } from "../../src/session/session.ts";
import { FLAG } from "../../src/session/record_layout.ts";
import { type Actor, type EndTruth, type SocketFamily } from "./actor.ts";
import { assertWithin } from "./harness.ts";
import { Namespace } from "./host.ts";
import { Scene } from "./scene.ts";

const TCP_DEFER_ACCEPT = [6, 9] as const; // include/uapi/linux/tcp.h
const WAIT_MS = 300;
const MARGIN_NS = 1_000_000n;

interface Case {
  readonly name: string;
  readonly family: SocketFamily;
  readonly address: string;
  /** Seconds, set before the client connects. */
  readonly defer: number;
  /** The client's first action, after a wait: what makes the server's socket. */
  readonly act: (client: Actor) => Promise<unknown>;
  /** Bytes that it sends. */
  readonly bytes: number;
}

const CASES: Case[] = [
  {
    name: "data comes, over IPv4",
    family: "ipv4",
    address: "127.0.0.1",
    defer: 30,
    act: (client) => client.send("s", 10),
    bytes: 10,
  },
  {
    name: "data comes, over IPv6",
    family: "ipv6",
    address: "::1",
    defer: 1,
    act: (client) => client.send("s", 10),
    bytes: 10,
  },
  {
    name: "a FIN comes, without data",
    family: "ipv4",
    address: "127.0.0.1",
    defer: 30,
    act: (client) => client.shutdown("s"),
    bytes: 0,
  },
];

for (const { name, family, address, defer, act, bytes } of CASES) {
  Deno.test(`a deferred session has no handshake time, its other times are right: ${name}`, async () => {
    await using scene = await Scene.open({ listen: { family, address } });
    const { client, server } = scene;
    await server.setOption("l", ...TCP_DEFER_ACCEPT, defer);
    const target = { family, address, port: scene.port };
    const opened = await client.connect("s", target);
    await wait();
    assert.ok(!await server.isReady("l"));
    const [, accepted] = await Promise.all([act(client), server.accept("l", "s")]);
    await server.receive("s", bytes);
    await server.send("s", 1000); // a true sample of the round trip
    await client.receive("s", 1000);
    await client.close("s");
    await server.receiveFin("s");
    await server.close("s");
    const ends = await scene.trace.pair(scene.port);
    assertDeferred(ends.server, opened, accepted);
    assert.ok((ends.server.minRttUs ?? 0) > 0 && (ends.server.minRttUs ?? 0) < WAIT_MS * 1000);
    assert.ok(!ends.client.has(FLAG.DEFERRED));
    const handshake = ends.client.handshakeUs ?? 0;
    assert.ok(handshake > 0 && handshake < WAIT_MS * 1000, `${handshake} µs`);
  });
}

Deno.test("a deferral that runs out has no handshake time: the SYN-ACK was sent again", async () => {
  await using scene = await Scene.open();
  const { client, server } = scene;
  await server.setOption("l", ...TCP_DEFER_ACCEPT, 1);
  const { client: truth } = await scene.connect(); // accepts after a second
  await scene.exchange(10, 10);
  await client.close("s");
  await server.receiveFin("s");
  await server.close("s");
  const ends = await scene.trace.pair(scene.port);
  assert.equal(ends.server.handshakeUs, undefined);
  assert.ok(ends.server.has(FLAG.DEFERRED));
  const later = (ends.server.establishedUnixNs ?? 0n) - truth.wall_after_ns;
  assert.ok(later > 500_000_000n, `${later} ns`);
  assert.ok((ends.server.smoothedRttUs ?? 0) < 500_000, `${ends.server.smoothedRttUs} µs`);
});

Deno.test("a listener that no longer defers has handshake times", async () => {
  await using scene = await Scene.open();
  const { client, server } = scene;
  await server.setOption("l", ...TCP_DEFER_ACCEPT, 30);
  await server.setOption("l", ...TCP_DEFER_ACCEPT, 0);
  await scene.connect();
  await wait();
  await scene.exchange(10, 10);
  await client.close("s");
  await server.receiveFin("s");
  await server.close("s");
  const ends = await scene.trace.pair(scene.port);
  assert.ok(!ends.server.has(FLAG.DEFERRED));
  assert.ok((ends.server.handshakeUs ?? 0) < WAIT_MS * 1000);
});

Deno.test("data in the SYN is not deferred: its session has a handshake time", async () => {
  await using namespace = await Namespace.alone();
  const { under } = namespace;
  await namespace.configure("link set lo up");
  await namespace.sysctl("ipv4.tcp_fastopen", 0x607); // both ends, without cookies, all listeners
  await using scene = await Scene.open({ client: { under }, server: { under } });
  const { client, server } = scene;
  await server.setOption("l", ...TCP_DEFER_ACCEPT, 30);
  await client.prepare("s", { family: "ipv4" });
  await Promise.all([
    client.sendFastOpen("s", "127.0.0.1", scene.port, 10),
    server.accept("l", "s"),
  ]);
  await server.receive("s", 10);
  await wait();
  await client.close("s");
  await server.receiveFin("s");
  await server.close("s");
  const ends = await scene.trace.pair(scene.port);
  assert.ok(!ends.server.has(FLAG.DEFERRED));
  assert.ok((ends.server.handshakeUs ?? 0) < WAIT_MS * 1000);
});

/** What a deferred session's server says. */
function assertDeferred(end: Session, opened: EndTruth, accepted: EndTruth): void {
  assert.ok(end.has(FLAG.DEFERRED));
  assert.equal(end.handshakeUs, undefined);
  assert.equal(end.smoothedRttUs, undefined);
  const { wall_before_ns, wall_after_ns } = opened;
  assertWithin("start", end.startUnixNs, wall_before_ns - MARGIN_NS, wall_after_ns + MARGIN_NS);
  const established = end.establishedUnixNs ?? 0n;
  const earliest = wall_after_ns + BigInt(WAIT_MS) * 1_000_000n - MARGIN_NS;
  assertWithin("established", established, earliest, accepted.wall_after_ns + MARGIN_NS);
}

/** The time that a client takes before its first data: what these tests are about. */
function wait(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, WAIT_MS));
}
