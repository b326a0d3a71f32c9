/** What is counted. */
import type { Case } from "../case.ts";

export const BYTES: Case[] = [
  {
    name: "nothing is sent",
    section: "bytes",
    act: async (stage) => {
      const { client, server } = await stage.connect();
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
    name: "a thousand bytes one way, two thousand the other",
    section: "bytes",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(1000);
      await server.transfer(2000);
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
    name: "ten megabytes",
    section: "bytes",
    act: async (stage) => {
      const { client, server } = await stage.connect({ family: "ipv6" });
      await client.transfer(10_000_000);
      const sent = await client.info();
      await server.close();
      await client.receiveFin();
      await client.close();
      return [
        client.ended("last_ack", "peer", "fin", {
          // the wire drops what its queue cannot hold
          retransmits: sent.total_retrans,
          txSegments: sent.data_segs_out,
        }),
        server.ended("fin_wait2", "local", "fin"),
      ];
    },
  },
];
