/** Processes and namespaces that end with open sessions. */
import type { Case } from "../../case.ts";
import { pause } from "../../stage.ts";
import { untilNow } from "../../window.ts";

export const PROCESSES: Case[] = [
  {
    name: "an idle client is killed",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await client.kill();
      await server.receiveFin();
      await server.close();
      return [
        client.ended("fin_wait2", "local", "fin"),
        server.ended("last_ack", "peer", "fin"),
      ];
    },
  },
  {
    name: "a server is killed that never used its socket",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await server.kill();
      await client.receiveFin();
      await client.close();
      return [
        client.ended("last_ack", "peer", "fin"),
        server.ended("fin_wait2", "local", "fin"),
      ];
    },
  },
  {
    name: "a client with unread data is killed",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await server.sendUnread(10);
      await client.kill();
      await server.receiveError();
      await server.close();
      return [
        client.ended("established", "local", "aborted"),
        server.ended("established", "peer", "reset"),
      ];
    },
  },
  {
    name: "a client with unsent data is killed, and the server closes with it unread",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      const written = await client.sendUntilFull();
      await client.kill();
      await pause(50);
      const { unread } = await server.info();
      await server.close();
      return [
        client.ended("fin_wait1", "local", "reset", {
          txBytes: unread,
          unackedBytes: written - unread,
          txSegments: [1, written],
          retransmits: [0, 20],
        }),
        server.ended("established", "local", "aborted", {
          rxBytes: unread,
          unreadBytes: unread,
          rxSegments: [1, written],
          ownerSource: "close",
        }),
      ];
    },
  },
  {
    name: "the server is killed, and its namespace deleted before its FIN arrives",
    section: "ends",
    act: async (stage) => {
      await stage.far.sysctl("ipv4.tcp_orphan_retries", 1);
      const { client, server } = await stage.connect();
      await server.transfer(10);
      await stage.cut();
      await server.kill();
      await stage.far.remove();
      await pause(2500); // its socket keeps the namespace until the socket gives up
      await client.abort();
      return [
        client.ended("established", "local", "aborted"),
        server.ended("fin_wait1", "local", "timeout", {
          end: untilNow(server.closed),
          retransmits: [1, 4],
          parent: "maybe", // the wire and the client's address go with the socket
        }),
      ];
    },
  },
  {
    name: "the client's namespace is deleted with its process still there",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect({ loopback: true });
      await client.transfer(10);
      await stage.near.remove(); // its processes keep it
      await server.transfer(10);
      await client.close();
      await server.receiveFin();
      await server.close();
      return [
        client.ended("fin_wait2", "local", "fin"),
        server.ended("last_ack", "peer", "fin"),
      ];
    },
  },
];
