/** Ways to write and to read. */
import { strict as assert } from "node:assert";
import type { Case } from "../../case.ts";
import { pause } from "../../stage.ts";
import { timed } from "../../window.ts";
import { clientCloses, counted, serverCloses } from "./finish.ts";

const MSG_OOB = 0x1;
const MSG_TRUNC = 0x20;
const MSG_ZEROCOPY = 0x4000000;

export const WRITES: Case[] = [
  {
    name: "urgent data, out of line",
    section: "bytes",
    act: async (stage) => {
      const session = await stage.connect();
      const { client, server } = session;
      await client.send(50);
      await client.send(1, MSG_OOB);
      await client.send(49);
      await client.untilAcknowledged();
      await server.receive(50);
      await server.receive(1, MSG_OOB);
      await server.receive(49);
      return await clientCloses(session);
    },
  },
  {
    name: "urgent data that its reader passes over",
    section: "bytes",
    act: async (stage) => {
      const session = await stage.connect();
      const { client, server } = session;
      await client.send(50);
      await client.send(1, MSG_OOB);
      await client.send(49);
      await client.untilAcknowledged();
      await server.receive(50);
      await server.receive(49); // passes over the urgent byte
      // of what was received nothing is left to read
      return await clientCloses(session, { server: { unreadBytes: 0 } });
    },
  },
  {
    name: "urgent data at the end, read with MSG_OOB",
    section: "bytes",
    act: async (stage) => {
      const session = await stage.connect();
      const { client, server } = session;
      await client.send(99);
      await client.send(1, MSG_OOB);
      await client.untilAcknowledged();
      await server.receive(99);
      await server.receive(1, MSG_OOB);
      return await clientCloses(session);
    },
  },
  {
    name: "urgent data, in line",
    section: "bytes",
    act: async (stage) => {
      const session = await stage.connect();
      const { client, server } = session;
      await server.setOption("OOBINLINE", 1);
      await client.send(50);
      await client.send(1, MSG_OOB);
      await client.send(49);
      await client.untilAcknowledged();
      await server.receive(100);
      return await clientCloses(session);
    },
  },
  {
    name: "MSG_ZEROCOPY",
    section: "bytes",
    act: async (stage) => {
      const session = await stage.connect();
      const { client, server } = session;
      await client.setOption("ZEROCOPY", 1);
      await Promise.all([client.send(300_001, MSG_ZEROCOPY), server.receive(300_001)]);
      await client.untilAcknowledged();
      return await serverCloses(session);
    },
  },
  {
    name: "sendfile",
    section: "bytes",
    act: async (stage) => {
      const session = await stage.connect();
      const { client, server } = session;
      await Promise.all([server.sendFile(1_234_567), client.receive(1_234_567)]);
      await server.untilAcknowledged();
      return await clientCloses(session, { server: await counted(server) });
    },
  },
  {
    name: "splice, at both ends",
    section: "bytes",
    act: async (stage) => {
      const session = await stage.connect({ loopback: true, address: "127.0.0.1" });
      await session.client.splice(777_777);
      return await clientCloses(session);
    },
  },
  {
    name: "recv with MSG_TRUNC throws the data away",
    section: "bytes",
    act: async (stage) => {
      const session = await stage.connect();
      const { client, server } = session;
      await client.sendUnread(5000);
      await server.receive(5000, MSG_TRUNC);
      return await clientCloses(session);
    },
  },
  {
    name: "small writes under TCP_CORK, let go by close()",
    section: "bytes",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.setOption("TCP_CORK", 1);
      for (let i = 0; i < 10; i++) await client.send(7);
      await client.close();
      await server.receive(70);
      await server.receiveFin();
      await server.close();
      return [
        client.ended("fin_wait2", "local", "fin", { txSegments: [1, 2] }), // 200 ms at most
        server.ended("last_ack", "peer", "fin", { rxSegments: [1, 2] }),
      ];
    },
  },
  {
    name: "the smallest SO_SNDBUF",
    section: "bytes",
    act: async (stage) => {
      const session = await stage.connect();
      const { client, server } = session;
      await client.setOption("SNDBUF", 1);
      await client.transfer(200_003);
      return await clientCloses(session, {
        client: await counted(client),
        server: await counted(server),
      });
    },
  },
  {
    name: "close() lingers until held data is acknowledged",
    section: "bytes",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await stage.hold("near");
      await client.send(5000);
      const released = pause(100).then(() => timed(() => stage.release("near")));
      await client.linger(5);
      const { from } = await released;
      assert.ok(client.closed.to > from, "it did not wait");
      await server.receive(5000);
      await server.receiveFin();
      await server.close();
      const arrival = { from, to: client.closed.to };
      return [
        // close() returned when the FIN was acknowledged
        client.ended("fin_wait2", "local", "fin", { retransmits: [0, 3], txSegments: [1, 9] }),
        server.ended("last_ack", "peer", "fin", {
          rxSegments: [1, 9],
          events: [
            { name: "tcpspan.established", within: client.opened },
            { name: "tcpspan.fin.received", within: arrival },
            { name: "tcpspan.fin.sent", within: server.closed },
          ],
        }),
      ];
    },
  },
  {
    name: "close() lingers in vain, and the data arrives after it",
    section: "bytes",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await stage.hold("near");
      await client.send(5000);
      await client.linger(1);
      const released = await timed(() => stage.release("near"));
      await server.receive(5000);
      await server.receiveFin();
      await server.close();
      const end = { from: released.from, to: server.closed.to };
      return [
        client.ended("fin_wait2", "local", "fin", {
          end,
          retransmits: [0, 9],
          txSegments: [1, 15],
        }),
        server.ended("last_ack", "peer", "fin", {
          rxSegments: [1, 15],
          events: [
            { name: "tcpspan.established", within: client.opened },
            { name: "tcpspan.fin.received", within: end },
            { name: "tcpspan.fin.sent", within: server.closed },
          ],
        }),
      ];
    },
  },
  {
    name: "kernel TLS",
    section: "bytes",
    impossible: "this kernel was built without CONFIG_TLS",
  },
];
