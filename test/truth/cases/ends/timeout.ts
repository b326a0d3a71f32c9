/** Sessions that the kernel gives up, and what happens to their peers. */
import type { Case, ExpectedEnd } from "../../case.ts";
import type { End } from "../../end.ts";
import { pause, type Stage } from "../../stage.ts";
import { untilNow } from "../../window.ts";

export const TIMEOUTS: Case[] = [
  {
    name: "keep-alive probes stay unanswered",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await stage.cut();
      await client.setOption("TCP_KEEPIDLE", 1);
      await client.setOption("TCP_KEEPINTVL", 1);
      await client.setOption("TCP_KEEPCNT", 1);
      await client.setOption("KEEPALIVE", 1);
      await client.receiveError();
      await client.close();
      return [client.ended("established", "kernel", "timeout"), await abandon(server)];
    },
  },
  {
    name: "TCP_USER_TIMEOUT expires with data unacknowledged",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await stage.cut();
      return await loseData(stage, client, server);
    },
  },
  {
    name: "TCP_USER_TIMEOUT expires with the neighbour gone",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await stage.loseNeighbour("near");
      return await loseData(stage, client, server);
    },
  },
  {
    name: "TCP_USER_TIMEOUT expires with the link down",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await stage.near.ip("link", "set", "eth0", "down");
      return await loseData(stage, client, server);
    },
  },
  {
    name: "TCP_USER_TIMEOUT expires with the other side's link down",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect({ family: "ipv6" });
      await client.transfer(10);
      await stage.far.ip("link", "set", "eth0", "down");
      return await loseData(stage, client, server);
    },
  },
  {
    name: "the interface is removed, and TCP_USER_TIMEOUT expires",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await stage.near.ip("link", "del", "eth0");
      return await loseData(stage, client, server);
    },
  },
  {
    name: "a closed client's FIN is never answered",
    section: "ends",
    act: async (stage) => {
      await stage.near.sysctl("ipv4.tcp_orphan_retries", 1);
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await stage.cut();
      await client.close();
      const end = await orphanGone(stage, client);
      return [
        client.ended("fin_wait1", "local", "timeout", { end, retransmits: [1, 4] }),
        await abandon(server, { outlivesClient: true }),
      ];
    },
  },
  {
    name: "a closed server's FIN is never answered, after the client's",
    section: "ends",
    act: async (stage) => {
      await stage.far.sysctl("ipv4.tcp_orphan_retries", 1);
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await client.close();
      await server.receiveFin();
      await pause(100); // until the FIN is acknowledged
      await stage.cut();
      await server.close();
      const end = await orphanGone(stage, server);
      return [
        client.ended("fin_wait2", "local", "fin", { end: untilServer(client, server) }),
        server.ended("last_ack", "peer", "timeout", {
          end,
          retransmits: [1, 4],
          outlivesClient: true,
        }),
      ];
    },
  },
];

/** The client sends what never arrives, and gives up after half a second. */
async function loseData(stage: Stage, client: End, server: End): Promise<ExpectedEnd[]> {
  await client.setOption("TCP_USER_TIMEOUT", 500);
  await client.send(300);
  await client.receiveError();
  const counts = await client.info();
  await client.close();
  await stage.endWire();
  return [
    client.ended("established", "kernel", "timeout", {
      unackedBytes: 300,
      rxBytes: 0,
      retransmits: counts.total_retrans,
      txSegments: counts.data_segs_out,
    }),
    await abandon(server, { rxBytes: 10, unreadBytes: 0, rxSegments: 1, outlivesClient: true }),
  ];
}

/** Aborts an end whose peer is gone. */
async function abandon(end: End, special: Partial<ExpectedEnd> = {}): Promise<ExpectedEnd> {
  await end.abort();
  return end.ended("established", "local", "aborted", { outlivesClient: true, ...special });
}

/** Waits until ss(8) does not know the socket any more. */
async function orphanGone(stage: Stage, end: End) {
  const side = end.role === "client" ? stage.near : stage.far;
  const port = String(end.local.port);
  for (;;) {
    const sockets = await side.run("ss", "-Htan", "sport", "=", `:${port}`);
    if (!/FIN-WAIT-1|LAST-ACK/.test(sockets)) return untilNow(end.closed);
    await pause(20);
  }
}

function untilServer(client: End, server: End) {
  return { from: client.closed.from, to: server.closed.to };
}
