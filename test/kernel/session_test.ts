/** Every field of a session, compared with what both of its processes say. */
import { strict as assert } from "node:assert";
import { assertOwner } from "./owner.ts";
import { bootTimeNs, wallOffsetNs } from "../../ffi/clock.ts";
import { FLAG } from "../../src/session/record_layout.ts";
import type { Session } from "../../src/session/session.ts";
import type { EndTruth, SocketInfo } from "./actor.ts";
import { assertWithin } from "./harness.ts";
import { Cgroup } from "./host.ts";
import { Scene, type SceneOptions } from "./scene.ts";

const CLOCK_TOLERANCE_NS = 100_000n; // what docs/span.md promises

interface Case extends SceneOptions {
  readonly name: string;
  readonly family: "ipv4" | "ipv6";
  readonly clientAddress: string;
  readonly serverAddress: string;
}

const CASES: Case[] = [
  {
    name: "IPv4",
    listen: { family: "ipv4", address: "127.4.5.6" },
    connect: { family: "ipv4", address: "127.4.5.6", source: "127.1.2.3" },
    family: "ipv4",
    clientAddress: "127.1.2.3",
    serverAddress: "127.4.5.6",
  },
  {
    name: "IPv6",
    listen: { family: "ipv6", address: "::1" },
    family: "ipv6",
    clientAddress: "::1",
    serverAddress: "::1",
  },
  {
    name: "IPv4 at a dual-stack listener",
    listen: { family: "dual", address: "::" },
    connect: { family: "ipv4", address: "127.0.0.1", source: "127.1.2.3" },
    family: "ipv4",
    clientAddress: "127.1.2.3",
    serverAddress: "127.0.0.1",
  },
  {
    name: "IPv6 at a dual-stack listener",
    listen: { family: "dual", address: "::" },
    connect: { family: "ipv6", address: "::1" },
    family: "ipv6",
    clientAddress: "::1",
    serverAddress: "::1",
  },
  {
    name: "IPv4 from a dual-stack client",
    listen: { family: "ipv4", address: "127.4.5.6" },
    connect: { family: "dual", address: "::ffff:127.4.5.6" },
    family: "ipv4",
    clientAddress: "127.0.0.1",
    serverAddress: "127.4.5.6",
  },
];

for (const { name, ...expected } of CASES) {
  Deno.test(`capture() reports every field of both ends of a session over ${name}`, async () => {
    using cgroup = new Cgroup();
    await using scene = await Scene.open({
      ...expected,
      client: { cgroup: cgroup.path },
      server: { uid: 65534 },
    });
    const { client, server, port } = scene;
    const truth = await scene.connect();
    await scene.exchange(1000, 2000);
    const clientInfo = await client.info("s");
    const serverInfo = await server.info("s");
    const clientClose = await client.close("s");
    await server.receiveFin("s");
    const serverClose = await server.close("s");
    const ends = await scene.trace.pair(port);
    const delivered = bootTimeNs() + wallOffsetNs();

    assertAddresses(ends.client, truth.client, expected.clientAddress, expected.serverAddress);
    assertAddresses(ends.server, truth.server, expected.serverAddress, expected.clientAddress);
    assert.equal(ends.client.serverPort, port);
    assert.equal(ends.server.serverPort, port);
    for (const [end, info] of [[ends.client, clientInfo], [ends.server, serverInfo]] as const) {
      assert.equal(end.family, expected.family);
      assertQuality(end, info);
      assert.equal(end.errno, 0);
      assert.equal(end.shutdown, 3);
      assert.ok(end.has(FLAG.START_OBSERVED));
      assert.ok(!end.has(FLAG.BACKSTOP) && !end.has(FLAG.REPAIR) && !end.has(FLAG.LINGER_ZERO));
    }
    assertOwner(ends.client, client.process);
    assertOwner(ends.server, server.process);
    assert.equal(ends.client.ownerSource, "connect");
    assert.equal(ends.server.ownerSource, "recv");
    assert.notEqual(ends.client.cgroupId, ends.server.cgroupId);

    assert.equal(ends.client.role, "active");
    assert.equal(ends.server.role, "passive");
    assert.deepEqual([ends.client.txBytes, ends.client.rxBytes], [1000, 2000]);
    assert.deepEqual([ends.server.txBytes, ends.server.rxBytes], [2000, 1000]);
    const numbers = ends.client.initialSequenceNumbers;
    assert.ok(numbers !== undefined);
    assert.deepEqual(ends.server.initialSequenceNumbers, {
      local: numbers.peer,
      peer: numbers.local,
    });

    assert.equal(ends.client.lastState, "fin_wait2");
    assert.equal(ends.server.lastState, "last_ack");
    assert.ok(ends.client.has(FLAG.LOCAL_FIN_FIRST) && !ends.client.has(FLAG.PEER_FIN_FIRST));
    assert.ok(ends.server.has(FLAG.PEER_FIN_FIRST | FLAG.SOCK_DONE));
    assert.ok(!ends.server.has(FLAG.LOCAL_FIN_FIRST));

    const connect = truth.client;
    assertAt("client's start", ends.client.startUnixNs, connect);
    assertAt("client's established", ends.client.establishedUnixNs, connect);
    assertWithin("client's start", ends.client.startBootNs, connect.before_ns, connect.after_ns);
    // the handshake's last packet may arrive after connect() has returned
    const handshake = { ...connect, ...truth.server, wall_before_ns: connect.wall_before_ns };
    assertAt("server's start", ends.server.startUnixNs, handshake);
    assertAt("server's established", ends.server.establishedUnixNs, handshake);
    assertAt("client's FIN", ends.client.finSentUnixNs, clientClose);
    assertAt("client's FIN, received", ends.server.finReceivedUnixNs, {
      wall_before_ns: clientClose.wall_before_ns,
      wall_after_ns: serverClose.wall_before_ns,
    });
    assertAt("server's FIN", ends.server.finSentUnixNs, serverClose);
    assertAt("client's end", ends.client.endUnixNs, {
      wall_before_ns: clientClose.wall_before_ns,
      wall_after_ns: delivered,
    });
    assertAt("server's end", ends.server.endUnixNs, {
      wall_before_ns: serverClose.wall_before_ns,
      wall_after_ns: delivered,
    });
    for (const end of [ends.client, ends.server]) {
      assert.equal(end.durationUs, Number(end.endUnixNs - end.startUnixNs) / 1000);
    }
  });
}

Deno.test("startUnixNs of a server is when the SYN-ACK left: between the client's SYN and its ESTABLISHED", async () => {
  await using scene = await Scene.open();
  await scene.connect();
  await scene.client.close("s");
  await scene.server.close("s");
  const { client, server } = await scene.trace.pair(scene.port);
  const established = client.establishedUnixNs;
  assert.ok(established !== undefined);
  assertWithin(
    "server's start",
    server.startUnixNs,
    client.startUnixNs - CLOCK_TOLERANCE_NS,
    established + CLOCK_TOLERANCE_NS,
  );
});

Deno.test("initialSequenceNumbers equal those of the SYNs on the wire", async () => {
  await using scene = await Scene.open();
  const { client, server, port, trace } = scene;
  await client.sniff("lo", port);
  const truth = await scene.connect();
  await scene.exchange(100, 200);
  await client.close("s");
  await server.receiveFin("s");
  await server.close("s");
  const onWire = await client.sniffed(port);
  const ends = await trace.pair(port);
  assert.deepEqual(ends.client.initialSequenceNumbers, {
    local: onWire[truth.client.local_port],
    peer: onWire[port],
  });
});

Deno.test("round trips, segments and retransmits of a reset session equal its last TCP_INFO", async () => {
  await using scene = await Scene.open();
  await scene.connect();
  await scene.exchange(100_000, 200_000);
  await new Promise((resolve) => setTimeout(resolve, 100)); // delayed ACKs have arrived
  const info = await scene.client.info("s");
  await scene.client.abort("s"); // nothing is acknowledged any more
  await scene.server.receiveError("s");
  await scene.server.close("s");
  const { client } = await scene.trace.pair(scene.port);
  assert.equal(client.smoothedRttUs, info.rtt_us);
  assert.equal(client.minRttUs, info.min_rtt_us);
  assert.equal(client.txSegments, info.data_segs_out);
  assert.equal(client.rxSegments, info.data_segs_in);
  assert.equal(client.retransmits, info.total_retrans);
});

function assertAddresses(end: Session, truth: EndTruth, local: string, peer: string): void {
  assert.equal(end.localAddress, local);
  assert.equal(end.peerAddress, peer);
  assert.equal(end.localPort, truth.local_port);
  assert.equal(end.peerPort, truth.peer_port);
  assert.equal(end.cookie, truth.cookie);
}

/** `info` was read before the last acknowledgements. */
function assertQuality(end: Session, info: SocketInfo): void {
  assert.equal(end.txSegments, info.data_segs_out);
  assert.equal(end.rxSegments, info.data_segs_in);
  assert.equal(end.retransmits, info.total_retrans);
  assert.equal(end.unackedBytes, 0);
  assert.equal(end.unreadBytes, 0);
  const { smoothedRttUs = 0, minRttUs = 0 } = end;
  assert.ok(minRttUs <= info.min_rtt_us, `least round trip of ${minRttUs} µs`);
  assert.ok(smoothedRttUs >= minRttUs && smoothedRttUs < 1e6, `round trip of ${smoothedRttUs} µs`);
}

/** Wall-clock times of the capture and of the processes are read apart. */
function assertAt(
  name: string,
  time: bigint | undefined,
  action: { readonly wall_before_ns: bigint; readonly wall_after_ns: bigint },
): void {
  assert.ok(time !== undefined, `${name} is unknown`);
  const { wall_before_ns: before, wall_after_ns: after } = action;
  assertWithin(name, time, before - CLOCK_TOLERANCE_NS, after + CLOCK_TOLERANCE_NS);
}
