/** Sessions that end with a FIN each way. */
import type { Case } from "../../case.ts";
import { pause } from "../../stage.ts";
import { across, untilNow } from "../../window.ts";

export const FINS: Case[] = [
  {
    name: "the client's FIN comes first",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(100);
      await client.close();
      await server.receiveFin();
      await server.close();
      return [
        client.ended("fin_wait2", "local", "fin"),
        server.ended("last_ack", "peer", "fin"),
      ];
    },
  },
  {
    name: "the server's FIN comes first",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await server.transfer(100);
      await server.close();
      await client.receiveFin();
      await client.close();
      return [
        client.ended("last_ack", "peer", "fin"),
        server.ended("fin_wait2", "local", "fin"),
      ];
    },
  },
  {
    name: "both FINs cross",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(100);
      await stage.hold("near", "far");
      await client.close();
      await server.close();
      const begin = server.finSent;
      await stage.release("near");
      await stage.release("far");
      await pause(50);
      const end = untilNow(begin);
      const special = (fin: typeof begin, peerFin: typeof begin) => ({
        end,
        events: [
          { name: "tcpspan.established", within: client.opened },
          { name: "tcpspan.fin.sent", within: fin },
          { name: "tcpspan.fin.received", within: across(peerFin, end) },
        ],
      });
      return [
        client.ended("closing", "local", "fin", special(client.finSent, server.finSent)),
        server.ended("closing", "local", "fin", special(server.finSent, client.finSent)),
      ];
    },
  },
  {
    name: "the client shuts down, and the server sends on before it closes",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await client.shutdown();
      await server.receiveFin();
      await server.transfer(3000);
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
    name: "the server shuts down, and the client sends on before it closes",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await server.transfer(10);
      await server.shutdown();
      await client.receiveFin();
      await client.transfer(3000);
      await client.close();
      await server.receiveFin();
      await server.close();
      return [
        client.ended("last_ack", "peer", "fin"),
        server.ended("fin_wait2", "local", "fin"),
      ];
    },
  },
  {
    name: "the server closes half a second after the client",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.close();
      await server.receiveFin();
      await pause(500);
      await server.close();
      return [
        // an orphan's socket ends with the acknowledgement of its FIN, after 40 ms at most
        client.ended("fin_wait2", "local", "fin"),
        server.ended("last_ack", "peer", "fin", { outlivesClient: true }),
      ];
    },
  },
  {
    name: "a socket connected to itself closes",
    section: "ends",
    act: async (stage) => {
      const client = await stage.client({ bound: true, address: "127.0.0.1" });
      const { port } = client.local;
      await client.connectAlone({ address: "127.0.0.1", port });
      await client.send(100);
      await client.receive(100);
      await client.close();
      return [
        client.ended("closing", "local", "fin", {
          end: client.closed,
          rxBytes: 100,
          unreadBytes: 0,
          rxSegments: 1,
          events: [
            { name: "tcpspan.established", within: client.opened },
            { name: "tcpspan.fin.sent", within: client.closed },
            { name: "tcpspan.fin.received", within: client.closed },
          ],
        }),
      ];
    },
  },
];
