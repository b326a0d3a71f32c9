/** Attempts that never become a session, and those that nearly do. */
import { strict as assert } from "node:assert";
import { constants } from "node:os";
import type { Case } from "../../case.ts";
import { pause } from "../../stage.ts";

const { errno } = constants;

export const ATTEMPTS: Case[] = [
  {
    name: "the peer refuses",
    section: "ends",
    act: async (stage) => {
      const client = await stage.client({ bound: true });
      await client.failToConnect({ address: stage.addresses.far.ipv4, port: stage.port() });
      return [client.ended("syn_sent", "peer", "refused")];
    },
  },
  {
    name: "the peer refuses, over loopback and IPv6",
    section: "ends",
    act: async (stage) => {
      const client = await stage.client({ bound: true, family: "ipv6", address: "::1" });
      await client.failToConnect({ address: "::1", port: stage.port() });
      return [client.ended("syn_sent", "peer", "refused")];
    },
  },
  {
    name: "the peer refuses twice, then the same socket connects",
    section: "ends",
    act: async (stage) => {
      const target = { address: stage.addresses.far.ipv4, port: stage.port() };
      const server = await stage.actor("far", { comm: "truth-server" });
      const first = await stage.client({ bound: true, what: "first attempt" });
      const second = first.again("second attempt");
      const attempts = [first, second];
      for (const attempt of attempts) await attempt.failToConnect(target);
      const session = await stage.join(
        second.again("client"),
        await stage.listen({ actor: server, port: target.port }),
      );
      await session.client.transfer(10);
      await session.client.close();
      await session.server.receiveFin();
      await session.server.close();
      return [
        ...attempts.map((attempt) => attempt.ended("syn_sent", "peer", "refused")),
        session.client.ended("fin_wait2", "local", "fin"),
        session.server.ended("last_ack", "peer", "fin"),
      ];
    },
  },
  {
    name: "nobody answers the SYN: TCP_SYNCNT",
    section: "ends",
    act: async (stage) => {
      await stage.near.sysctl("ipv4.tcp_syn_linear_timeouts", 0);
      await stage.cut("far");
      const client = await stage.client({ bound: true });
      await client.setOption("TCP_SYNCNT", 1);
      await client.failToConnect({ address: stage.addresses.far.ipv4, port: stage.port() });
      return [client.ended("syn_sent", "kernel", "timeout", { retransmits: 1 })];
    },
  },
  {
    name: "nobody answers the SYN: TCP_USER_TIMEOUT",
    section: "ends",
    act: async (stage) => {
      await stage.cut("far");
      const client = await stage.client({ bound: true, family: "ipv6" });
      await client.setOption("TCP_USER_TIMEOUT", 1500);
      await client.failToConnect({ address: stage.addresses.far.ipv6, port: stage.port() });
      const retransmits = await stage.lost("far") - 1;
      return [client.ended("syn_sent", "kernel", "timeout", { retransmits })];
    },
  },
  {
    name: "the SYN is answered late, after it was sent again",
    section: "ends",
    act: async (stage) => {
      const listener = await stage.listen();
      const client = await stage.client();
      await stage.cut("far");
      await client.startConnect(listener);
      await stage.mend("far");
      const accepting = listener.accept();
      await client.finishConnect();
      const server = await accepting;
      client.meet(server, client.opened);
      await client.close();
      await server.receiveFin();
      await server.close();
      return [
        client.ended("fin_wait2", "local", "fin", { retransmits: 1 }),
        // the first SYN was lost on the way: the server never saw it
        server.ended("last_ack", "peer", "fin", { start: client.established }),
      ];
    },
  },
  {
    name: "connect() is abandoned before an answer",
    section: "ends",
    act: async (stage) => {
      await stage.cut("far");
      const client = await stage.client({ bound: true });
      await client.startConnect({ address: stage.addresses.far.ipv4, port: stage.port() });
      await pause(50);
      await client.close();
      return [client.ended("syn_sent", "local", "aborted")];
    },
  },
  {
    name: "connect() is abandoned with AF_UNSPEC",
    section: "ends",
    act: async (stage) => {
      await stage.cut("far");
      const client = await stage.client({ bound: true });
      await client.startConnect({ address: stage.addresses.far.ipv4, port: stage.port() });
      await pause(50);
      await client.disconnect();
      await client.actor.close(client.socket);
      return [client.ended("syn_sent", "local", "aborted")];
    },
  },
  {
    name: "no local port is free",
    section: "ends",
    act: async (stage) => {
      await stage.near.sysctl("ipv4.ip_local_port_range", "40000 40000");
      const listener = await stage.listen();
      const { client, server } = await stage.join(await stage.client(), listener);
      const second = await stage.client({
        what: "second client",
        local: { address: stage.addresses.near.ipv4, port: 0 },
      });
      const failure = await second.failToConnect(listener);
      assert.equal(failure.errno, errno.EADDRNOTAVAIL);
      await client.close();
      await server.receiveFin();
      await server.close();
      return [
        client.ended("fin_wait2", "local", "fin"),
        server.ended("last_ack", "peer", "fin"),
        second.ended("syn_sent", "kernel", "error"),
      ];
    },
  },
  {
    name: "no route: nothing is sent, and no span made",
    section: "ends",
    act: async (stage) => {
      const client = await stage.client({ bound: true });
      const failure = await client.failToConnect({ address: "192.0.2.1", port: stage.port() });
      assert.equal(failure.errno, errno.ENETUNREACH);
      return [];
    },
  },
  {
    name: "the host does not answer ARP",
    section: "ends",
    act: async (stage) => {
      await stage.loseNeighbour("near");
      const client = await stage.client({ bound: true });
      await client.failToConnect({ address: stage.addresses.far.ipv4, port: stage.port() });
      return [client.ended("syn_sent", "kernel", "unreachable", { error: "host_unreachable" })];
    },
  },
  ...([
    ["net-unreachable", "kernel", "unreachable", "network_unreachable"],
    ["host-unreachable", "kernel", "unreachable", "host_unreachable"],
    ["admin-prohibited", "kernel", "unreachable", "host_unreachable"],
    ["port-unreachable", "peer", "refused", "connection_refused"],
  ] as const).map(([icmp, by, reason, error]): Case => ({
    name: `the SYN is answered with ICMP ${icmp}`,
    section: "ends",
    act: async (stage) => {
      await stage.reject(icmp);
      const client = await stage.client({ bound: true });
      await client.failToConnect({ address: stage.addresses.far.ipv4, port: stage.port() });
      // the first answer comes while connect() holds the socket, and counts only as a hint
      return [client.ended("syn_sent", by, reason, { error, retransmits: [0, 1] })];
    },
  })),
  {
    name: "two sockets connect to each other at once",
    section: "ends",
    act: async (stage) => {
      const near = await stage.client({ what: "near end", bound: true });
      const far = await stage.client({ what: "far end", side: "far", bound: true });
      await stage.hold("near", "far");
      await near.startConnect(far.local);
      await far.startConnect(near.local);
      await stage.release("near");
      await stage.release("far");
      await Promise.all([near.finishConnect(), far.finishConnect()]);
      near.pair(far);
      await near.transfer(10);
      await far.transfer(20);
      await near.close();
      await far.receiveFin();
      await far.close();
      const session = "simultaneous";
      return [
        near.ended("fin_wait2", "local", "fin", { session, start: near.opened }),
        far.ended("last_ack", "peer", "fin", { session, start: far.opened }),
      ];
    },
  },
];
