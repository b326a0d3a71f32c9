/** What never reached its reader. */
import type { Case } from "../../case.ts";
import type { End } from "../../end.ts";
import { pause } from "../../stage.ts";
import { across, timed } from "../../window.ts";
import { clientCloses, counted } from "./finish.ts";

/** Waits until nothing arrives for a while. @returns how much arrived and was not read */
async function quiet(server: End): Promise<number> {
  let [before, now] = [-1, (await server.info()).unread];
  while (before !== now) {
    await pause(500); // a closed window is probed after 200 ms
    [before, now] = [now, (await server.info()).unread];
  }
  return now;
}

export const UNREAD: Case[] = [
  {
    name: "a reset finds data that the server reads within a second",
    section: "bytes",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.sendUnread(3000);
      await client.abort();
      await server.untilGone();
      await server.receive(3000);
      await server.close();
      return [
        client.ended("established", "local", "aborted"),
        server.ended("established", "peer", "reset", { ownerSource: ["recv", "close"] }),
      ];
    },
  },
  {
    name: "a reset finds data of which the server reads some within a second",
    section: "bytes",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.sendUnread(3000);
      await client.abort();
      await server.untilGone();
      await server.receive(1000);
      await server.close();
      return [
        client.ended("established", "local", "aborted"),
        server.ended("established", "peer", "reset", {
          ownerSource: ["recv", "close"],
          unreadBytes: 2000,
        }),
      ];
    },
  },
  {
    name: "a reset finds data that the server reads after it was reported",
    section: "bytes",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await client.sendUnread(3000);
      await client.abort();
      await pause(2500);
      await server.receive(3000);
      await server.close();
      return [
        client.ended("established", "local", "aborted"),
        server.ended("established", "peer", "reset", { unreadBytes: { maybe: 0 } }),
      ];
    },
  },
  {
    name: "MSG_PEEK takes nothing",
    section: "bytes",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.sendUnread(500);
      await server.peek(500);
      await server.close();
      await client.receiveError();
      await client.close();
      return [
        client.ended("established", "peer", "reset"),
        server.ended("established", "local", "aborted", { ownerSource: ["recv", "close"] }),
      ];
    },
  },
  {
    name: "an abort takes data with it that was never sent",
    section: "bytes",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(100);
      await stage.hold("near");
      await client.send(5000);
      await client.abort();
      const released = await timed(() => stage.release("near"));
      await server.untilGone();
      await server.close();
      const end = { from: released.from, to: server.broke.to };
      return [
        client.ended("established", "local", "aborted", {
          unackedBytes: 5000,
          retransmits: [0, 1],
          txSegments: [2, 9],
        }),
        // the packets were on the wire: data first, then the reset
        server.ended("established", "peer", "reset", {
          end,
          rxBytes: 5100,
          unreadBytes: 5000,
          rxSegments: [2, 9],
        }),
      ];
    },
  },
  {
    name: "an abort while the server reads nothing and the window is closed",
    section: "bytes",
    act: async (stage) => {
      const { client, server } = await stage.connect({ loopback: true, address: "127.0.0.1" });
      await client.sendUntilFull();
      const rxBytes = await quiet(server);
      const [ofClient, ofServer] = [await counted(client), await counted(server)];
      const { unsent_or_unacked: unackedBytes } = await client.info();
      await client.abort();
      await server.untilGone();
      await server.close();
      const end = across(client.closed, server.broke);
      return [
        client.ended("established", "local", "aborted", { ...ofClient, unackedBytes }),
        server.ended("established", "peer", "reset", {
          ...ofServer,
          end,
          rxBytes,
          unreadBytes: rxBytes,
        }),
      ];
    },
  },
  {
    name: "data arrives out of order, and what was before it never does",
    section: "bytes",
    act: async (stage) => {
      await stage.near.sysctl("ipv4.tcp_sack", 0); // nothing is sent again before 200 ms
      const { client, server } = await stage.connect();
      await client.setOption("TCP_NODELAY", 1);
      await client.transfer(10);
      await stage.cut("far");
      await client.send(100);
      await stage.mend("far");
      await client.send(200);
      await client.abort();
      await server.untilGone();
      await server.close();
      const end = across(client.closed, server.broke);
      return [
        client.ended("established", "local", "aborted", { unackedBytes: 300 }),
        server.ended("established", "peer", "reset", { end, rxBytes: 10, rxSegments: 2 }),
      ];
    },
  },
  {
    name: "a closed window opens again",
    section: "bytes",
    act: async (stage) => {
      const session = await stage.connect();
      const { client, server } = session;
      await server.setOption("RCVBUF", 1);
      const sent = await client.sendUntilFull();
      await pause(300); // window probes
      await server.receive(sent);
      await client.transfer(12_345);
      return await clientCloses(session, {
        client: await counted(client),
        server: await counted(server),
      });
    },
  },
];
