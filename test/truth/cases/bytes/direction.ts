/** Payload of all sizes, either way, whoever ends the session. */
import type { Case } from "../../case.ts";
import { clientAborts, clientCloses, counted, serverAborts, serverCloses } from "./finish.ts";

const SIZES: [fromClient: number, fromServer: number][] = [
  [1, 0],
  [0, 1],
  [1447, 65_537],
  [123_457, 98_765],
];

const ENDINGS = {
  "the client closes": clientCloses,
  "the server closes": serverCloses,
  "the client aborts": clientAborts,
  "the server aborts": serverAborts,
};

export const DIRECTIONS: Case[] = [
  {
    name: "nothing is sent",
    section: "bytes",
    act: async (stage) => await clientCloses(await stage.connect()),
  },
  {
    name: "a thousand bytes one way, two thousand the other",
    section: "bytes",
    act: async (stage) => {
      const session = await stage.connect();
      await session.client.transfer(1000);
      await session.server.transfer(2000);
      return await clientCloses(session);
    },
  },
  {
    name: "ten megabytes",
    section: "bytes",
    act: async (stage) => {
      const session = await stage.connect({ family: "ipv6" });
      await session.client.transfer(10_000_000);
      const { rxSegments: _, ...sent } = await counted(session.client);
      return await serverCloses(session, { client: sent }); // the queue of the wire drops packets
    },
  },
  ...Object.entries(ENDINGS).flatMap(([ending, end]) =>
    SIZES.map(([up, down]): Case => ({
      name: `${up} and ${down} bytes at once, then ${ending}`,
      section: "bytes",
      act: async (stage) => {
        const session = await stage.connect();
        await session.client.exchange(up, down);
        return await end(session);
      },
    }))
  ),
  {
    name: "data and the FIN at once, then an answer",
    section: "bytes",
    act: async (stage) => {
      const session = await stage.connect();
      const { client, server } = session;
      await client.send(11);
      await client.shutdown(); // in one segment with the data, or after it
      await server.receive(11);
      await server.receiveFin();
      await server.transfer(33_333);
      await server.close();
      await client.receiveFin();
      await client.close();
      return [
        client.ended("fin_wait2", "local", "fin"),
        server.ended("last_ack", "peer", "fin"),
      ];
    },
  },
  {
    name: "the client shuts down, and closes with some of the answer unread",
    section: "bytes",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await client.shutdown();
      await server.receiveFin();
      await server.sendUnread(3000);
      await client.receive(1000);
      await client.close();
      await server.untilGone();
      await server.close();
      return [
        client.ended("fin_wait2", "local", "aborted", { end: client.closed }),
        server.ended("close_wait", "peer", "reset"),
      ];
    },
  },
  {
    name: "the server shuts down, and the client aborts after sending on",
    section: "bytes",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await server.transfer(10);
      await server.shutdown();
      await client.receiveFin();
      await server.untilAcknowledged();
      await client.transfer(4321);
      await client.abort();
      await server.receiveError();
      await server.close();
      return [
        client.ended("close_wait", "peer", "aborted"),
        server.ended("fin_wait2", "local", "reset"),
      ];
    },
  },
];
