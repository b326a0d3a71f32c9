/** Sessions that one end resets. */
import type { Case } from "../../case.ts";
import { End } from "../../end.ts";
import type { Listener } from "../../listener.ts";
import { pause, type Session, type Stage } from "../../stage.ts";
import { across, timed, untilNow } from "../../window.ts";

export const RESETS: Case[] = [
  {
    name: "the client aborts with SO_LINGER and 0",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await client.abort();
      await server.receiveError();
      await server.close();
      return [
        client.ended("established", "local", "aborted"),
        server.ended("established", "peer", "reset"),
      ];
    },
  },
  {
    name: "the server aborts with SO_LINGER and 0",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await server.transfer(10);
      await server.abort();
      await client.receiveError();
      await client.close();
      return [
        client.ended("established", "peer", "reset"),
        server.ended("established", "local", "aborted"),
      ];
    },
  },
  {
    name: "the client resets a server that never used its socket",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.abort();
      await server.receiveError();
      await server.close();
      return [
        client.ended("established", "local", "aborted"),
        server.ended("established", "peer", "reset"),
      ];
    },
  },
  {
    name: "the server aborts a session that it never used",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await server.abort();
      await client.receiveError();
      await client.close();
      return [
        client.ended("established", "peer", "reset"),
        server.ended("established", "local", "aborted"),
      ];
    },
  },
  {
    name: "the client aborts after its own FIN",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await client.shutdown();
      await server.receiveFin();
      await client.untilAcknowledged();
      await client.abort();
      await server.untilGone();
      await server.close();
      return [
        client.ended("fin_wait2", "local", "aborted"),
        server.ended("close_wait", "peer", "reset"),
      ];
    },
  },
  {
    name: "the server aborts after its own FIN, which the client never saw",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await server.transfer(10);
      await stage.cut("near");
      await server.shutdown();
      await server.abort();
      await stage.mend("near");
      const sent = await client.send(5); // nobody is there any more
      await client.receiveError();
      await client.close();
      return [
        client.ended("established", "peer", "reset", {
          end: across(sent, client.broke),
          unackedBytes: 5,
        }),
        server.ended("fin_wait1", "local", "aborted", { rxBytes: 0, rxSegments: 0 }),
      ];
    },
  },
  {
    name: "the client closes with unread data",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await server.sendUnread(10);
      await client.close();
      await server.receiveError();
      await server.close();
      return [
        client.ended("established", "local", "aborted"),
        server.ended("established", "peer", "reset"),
      ];
    },
  },
  {
    name: "the server closes with unread data",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.sendUnread(2500);
      await server.receive(500);
      await server.close();
      await client.receiveError();
      await client.close();
      return [
        client.ended("established", "peer", "reset"),
        server.ended("established", "local", "aborted"),
      ];
    },
  },
  {
    name: "the server closes with unread data after the client's FIN",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.sendUnread(10);
      await client.shutdown();
      await client.untilAcknowledged();
      await server.close();
      await client.receiveError();
      await client.close();
      return [
        client.ended("fin_wait2", "local", "reset"),
        server.ended("close_wait", "peer", "aborted"),
      ];
    },
  },
  {
    name: "the server aborts after the client's FIN",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await client.shutdown();
      await server.receiveFin();
      await client.untilAcknowledged();
      await server.abort();
      await client.receiveError();
      await client.close();
      return [
        client.ended("fin_wait2", "local", "reset"),
        server.ended("close_wait", "peer", "aborted"),
      ];
    },
  },
  {
    name: "the client resets while the server has unread data",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.sendUnread(10);
      await client.abort();
      await pause(20);
      await server.close();
      return [
        client.ended("established", "local", "aborted"),
        server.ended("established", "peer", "reset", { ownerSource: "close" }),
      ];
    },
  },
  {
    name: "the server sends to a client that has closed",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.close();
      await server.receiveFin();
      await pause(100); // until the FIN is acknowledged
      const sent = await server.send(10);
      await server.untilGone();
      await server.close();
      return [
        client.ended("fin_wait2", "local", "fin", { rxBytes: 0, unreadBytes: 0, rxSegments: 0 }),
        server.ended("close_wait", "peer", "reset", {
          end: across(sent, server.broke),
          unackedBytes: 10,
          ownerSource: ["recv", "close"], // the reset comes within its send()
          outlivesClient: true,
        }),
      ];
    },
  },
  {
    name: "the server sends and closes while the client's reset is on its way",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.close();
      await server.receiveFin();
      await pause(100); // until the FIN is acknowledged
      await stage.hold("far");
      await server.send(10);
      await server.close();
      await stage.release("far");
      await pause(50);
      const end = untilNow(server.closed);
      return [
        client.ended("fin_wait2", "local", "fin", { rxBytes: 0, unreadBytes: 0, rxSegments: 0 }),
        server.ended("last_ack", "peer", "reset", {
          end,
          unackedBytes: 10,
          outlivesClient: true,
        }),
      ];
    },
  },
  {
    name: "the client aborts while both FINs cross",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await stage.hold("near", "far");
      await client.shutdown();
      await server.shutdown();
      await client.abort();
      await stage.release("near");
      await server.untilGone();
      await server.close();
      const end = across(server.finSent, server.broke);
      return [
        client.ended("fin_wait1", "local", "aborted"),
        server.ended("closing", "local", "reset", {
          end,
          events: [
            { name: "tcpspan.established", within: server.opened },
            { name: "tcpspan.fin.sent", within: server.finSent },
            { name: "tcpspan.fin.received", within: end },
            { name: "tcpspan.reset.received", within: end },
          ],
        }),
      ];
    },
  },
  {
    name: "data arrives after close(), before the FIN is acknowledged",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await stage.hold("near");
      await client.close();
      await server.send(7);
      const arrived = untilNow(client.closed);
      const release = await timed(() => stage.release("near"));
      await server.untilGone();
      const reset = across(release, server.broke);
      await server.close();
      return [
        // nobody reset the client: its own end did, because nobody is there to read
        client.ended("fin_wait1", "local", "aborted", {
          end: arrived,
          rxBytes: 0,
          unreadBytes: 0,
        }),
        server.ended("close_wait", "peer", "reset", {
          end: reset,
          unackedBytes: 7,
          outlivesClient: true,
          events: [
            { name: "tcpspan.established", within: server.opened },
            { name: "tcpspan.fin.received", within: across(client.finSent, reset) },
            { name: "tcpspan.reset.received", within: reset },
          ],
        }),
      ];
    },
  },
  {
    name: "the client disconnects with AF_UNSPEC",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await client.disconnect();
      await server.receiveError();
      await server.close();
      await client.actor.close(client.socket);
      return [
        client.ended("established", "local", "aborted"),
        server.ended("established", "peer", "reset"),
      ];
    },
  },
  {
    name: "the client disconnects with AF_UNSPEC and connects again",
    section: "ends",
    act: async (stage) => {
      const listener = await stage.listen();
      const first = await stage.client();
      const firstServer = await first.connect(listener);
      await first.transfer(10);
      await first.disconnect();
      await firstServer.receiveError();
      await firstServer.close();
      const second = first.again("client again");
      const secondServer = await second.connect(listener);
      await second.transfer(20);
      await second.close();
      await secondServer.receiveFin();
      await secondServer.close();
      return [
        first.ended("established", "local", "aborted"),
        firstServer.ended("established", "peer", "reset"),
        second.ended("fin_wait2", "local", "fin"),
        secondServer.ended("last_ack", "peer", "fin"),
      ];
    },
  },
  {
    name: "a listener closes with a session that nobody accepted",
    section: "ends",
    act: async (stage) => {
      const listener = await stage.listen();
      const { client, server } = await unaccepted(stage, listener);
      server.closedWithin(await listener.close());
      await client.receiveError();
      await client.close();
      return [
        client.ended("established", "peer", "reset"),
        server.ended("established", "local", "aborted"),
      ];
    },
  },
  {
    name: "a client closes that nobody ever accepted",
    section: "ends",
    act: async (stage) => {
      const listener = await stage.listen();
      const { client, server } = await unaccepted(stage, listener);
      await client.close();
      await pause(100); // until the FIN is acknowledged
      server.closedWithin(await listener.close());
      return [
        client.ended("fin_wait2", "local", "fin", {
          end: across(client.closed, server.closed),
        }),
        server.ended("close_wait", "peer", "aborted", {
          outlivesClient: true,
        }),
      ];
    },
  },
  {
    name: "a full backlog resets with tcp_abort_on_overflow",
    section: "ends",
    act: async (stage) => {
      await stage.far.sysctl("ipv4.tcp_abort_on_overflow", 1);
      const listener = await stage.listen({ backlog: 2 }); // three fit
      const sessions = [await unaccepted(stage, listener), await unaccepted(stage, listener)];
      const third = await stage.client({ what: "third client" });
      const fourth = await stage.client({ what: "fourth client" });
      await stage.hold("far"); // both SYNs find room, the last packet of one handshake does not
      for (const client of [third, fourth]) await client.startConnect(listener);
      await stage.release("far");
      await third.finishConnect();
      await fourth.untilGone();
      fourth.establishedWithin(across(fourth.opened, fourth.broke));
      sessions.push({ client: third, server: End.unaccepted(third, listener) });
      const closed = await listener.close();
      for (const { client, server } of sessions) {
        server.closedWithin(closed);
        await client.receiveError();
        await client.close();
      }
      await fourth.close();
      return [
        ...sessions.flatMap(({ client, server }) => [
          client.ended("established", "peer", "reset"),
          server.ended("established", "local", "aborted"),
        ]),
        fourth.ended("established", "peer", "reset", {
          end: across(fourth.opened, fourth.broke),
        }),
      ];
    },
  },
  {
    name: "ss -K destroys the client's socket",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      client.closedWithin(
        await timed(() => stage.near.run("ss", "-K", "sport", "=", String(client.local.port))),
      );
      await server.receiveError();
      await server.close();
      await client.receiveError();
      const destroyed = client.closed;
      await client.close();
      return [
        client.ended("established", "kernel", "aborted", { end: destroyed }),
        server.ended("established", "peer", "reset", { end: across(destroyed, server.broke) }),
      ];
    },
  },
  {
    name: "a client in TCP_REPAIR closes, and its peer sees nothing",
    section: "ends",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await client.setOption("TCP_REPAIR", 1);
      await client.close();
      const sent = await server.send(5); // nobody is there any more
      await server.receiveError();
      await server.close();
      return [
        // its numbers may belong to another socket
        client.ended("established", "local", "aborted", {
          session: undefined,
          rxBytes: 0,
          rxSegments: 0,
          unreadBytes: 0,
        }),
        server.ended("established", "peer", "reset", {
          end: across(sent, server.broke),
          unackedBytes: 5,
          session: undefined,
          parent: "unseen",
        }),
      ];
    },
  },
];

async function unaccepted(stage: Stage, listener: Listener): Promise<Session> {
  const client = await stage.client();
  await client.connectAlone(listener);
  return { client, server: End.unaccepted(client, listener) };
}
