/** Data in the SYN: RFC 7413. */
import { strict as assert } from "node:assert";
import type { Case, ExpectedEnd } from "../../case.ts";
import type { End } from "../../end.ts";
import type { Listener } from "../../listener.ts";
import { pause, type Stage } from "../../stage.ts";
import { across, timed } from "../../window.ts";
import { clientCloses, serverCloses } from "./finish.ts";

const BOTH = 3; // net.ipv4.tcp_fastopen: as client and as server
const EVERY_LISTENER = 0x400;
const SYN_DATA = 32; // TCPI_OPT_SYN_DATA: it was acknowledged

export const FAST_OPEN: Case[] = [
  {
    name: "fast open: the first SYN asks for a cookie",
    section: "bytes",
    act: async (stage) => (await askForCookie(stage)).ends,
  },
  ...([["client", clientCloses], ["server", serverCloses]] as const).map(([who, end]): Case => ({
    name: `fast open: data in the SYN is accepted, then the ${who} closes`,
    section: "bytes",
    act: async (stage) => {
      const { listener, ends } = await askForCookie(stage);
      const client = await stage.client();
      const server = await client.connectFast(listener, 1000);
      await server.receive(1000);
      await expectSynData(client, true);
      await client.exchange(17, 2000);
      return [...ends, ...await end({ client, server })];
    },
  })),
  {
    name: "fast open: data in the SYN is not accepted, and sent again",
    section: "bytes",
    act: async (stage) => {
      const { listener, ends } = await askForCookie(stage);
      await stage.far.sysctl("ipv4.tcp_fastopen", 0);
      const client = await stage.client();
      const server = await client.connectFast(listener, 1000);
      await server.receive(1000);
      await expectSynData(client, false);
      const special = { retransmits: 1, txSegments: 2 };
      return [...ends, ...await clientCloses({ client, server }, { client: special })];
    },
  },
  {
    name: "fast open: the SYN with data is lost, and sent again without it",
    section: "bytes",
    act: async (stage) => {
      const { listener, ends } = await askForCookie(stage);
      await stage.cut("far");
      const client = await stage.client();
      const connecting = client.connectFast(listener, 1000);
      await pause(300);
      await stage.mend("far");
      const server = await connecting;
      await server.receive(1000);
      // the SYN was sent twice, and so was the data
      const special = { retransmits: 2, txSegments: 2 };
      return [
        ...ends,
        ...await clientCloses({ client, server }, {
          client: special,
        }),
      ];
    },
  },
  {
    name: "fast open: the peer refuses a SYN with data",
    section: "bytes",
    act: async (stage) => {
      const { listener, ends } = await askForCookie(stage);
      const client = await stage.client({ bound: true });
      await client.failFast({ address: listener.address, port: stage.port() }, 500);
      return [
        ...ends,
        client.ended("syn_sent", "peer", "refused", { unackedBytes: 500, txSegments: 1 }),
      ];
    },
  },
  {
    name: "fast open: a SYN with data is never answered, and abandoned",
    section: "bytes",
    act: async (stage) => {
      const { listener, ends } = await askForCookie(stage);
      await stage.cut("far");
      const client = await stage.client({ bound: true });
      await client.startFast(listener, 500);
      await pause(50);
      await client.close();
      return [
        ...ends,
        client.ended("syn_sent", "local", "aborted", { unackedBytes: 500, txSegments: 1 }),
      ];
    },
  },
  {
    name: "fast open: the server answers before the handshake is over",
    section: "bytes",
    act: async (stage) => {
      const { listener, ends } = await askForCookie(stage);
      const { client, server, established } = await acceptEarly(stage, listener, async (server) => {
        await server.send(2000);
      });
      await client.receive(2000);
      await expectSynData(client, true);
      await server.untilAcknowledged();
      server.establishedWithin(established);
      return [
        ...ends,
        ...await clientCloses({ client, server }, {
          client: { retransmits: [0, 3], txSegments: [1, 4], rxSegments: [1, 6] },
          server: { retransmits: [0, 3], txSegments: [1, 6], rxSegments: [1, 4] },
        }),
      ];
    },
  },
  {
    name: "fast open: the server answers and closes before the handshake is over",
    section: "bytes",
    act: async (stage) => {
      const { listener, ends } = await askForCookie(stage);
      const { client, server, answered, established } = await acceptEarly(
        stage,
        listener,
        async (server) => {
          await server.send(2000);
          await server.close();
        },
      );
      await client.receive(2000);
      await client.receiveFin();
      await client.close();
      await pause(50);
      const end = across(established, client.closed);
      return [
        ...ends,
        client.ended("last_ack", "peer", "fin", {
          retransmits: [0, 3],
          txSegments: [1, 4],
          rxSegments: [1, 6],
          events: [
            { name: "tcpspan.established", within: client.established },
            { name: "tcpspan.fin.received", within: across(answered, client.closed) },
            { name: "tcpspan.fin.sent", within: client.closed },
          ],
        }),
        // it went from SYN_RECV to FIN_WAIT1
        server.ended("fin_wait2", "local", "fin", {
          established: undefined,
          handshakeUs: undefined,
          retransmits: [0, 3],
          txSegments: [1, 6],
          rxSegments: [1, 4],
          end,
          events: [
            { name: "tcpspan.fin.sent", within: across(server.finSent, established) },
            { name: "tcpspan.fin.received", within: client.closed, optional: true },
          ],
        }),
      ];
    },
  },
  {
    name: "fast open: the client is gone before the handshake is over, its data accepted",
    section: "bytes",
    act: async (stage) => {
      const { listener, ends } = await askForCookie(stage);
      const client = await stage.client({ bound: true });
      await stage.hold("far");
      await client.startFast(listener, 500);
      const server = await listener.accept();
      await server.receive(500);
      await client.close(); // which no packet shows
      client.meet(server, client.opened);
      const released = await timed(() => stage.release("far"));
      await server.untilGone(); // the SYN-ACK finds no socket
      await server.close();
      return [
        ...ends,
        client.ended("syn_sent", "local", "aborted", { unackedBytes: 500, txSegments: 1 }),
        server.ended("syn_recv", "peer", "reset", {
          established: undefined,
          end: { from: released.from, to: server.broke.to },
          events: [{
            name: "tcpspan.reset.received",
            within: { from: released.from, to: server.broke.to },
          }],
          rttUs: undefined,
          handshakeUs: undefined,
          session: undefined,
          parent: "none",
          retransmits: [0, 1],
          outlivesClient: true,
        }),
      ];
    },
  },
  {
    name: "fast open: a FIN in the SYN",
    section: "bytes",
    impossible: "this kernel sends none: shutdown() before the handshake is over disconnects",
  },
];

/** Turns fast open on. The session's SYN asks for a cookie; its data follows the handshake. */
async function askForCookie(
  stage: Stage,
): Promise<{ listener: Listener; ends: ExpectedEnd[] }> {
  await stage.near.sysctl("ipv4.tcp_fastopen", BOTH);
  await stage.far.sysctl("ipv4.tcp_fastopen", BOTH | EVERY_LISTENER);
  const listener = await stage.listen();
  const client = await stage.client({ what: "first client" });
  const server = await client.connectFast(listener, 100);
  await server.receive(100);
  await expectSynData(client, false);
  return { listener, ends: await clientCloses({ client, server }) };
}

/** Runs `work` on a server while the last packet of the handshake is on its way. */
async function acceptEarly(
  stage: Stage,
  listener: Listener,
  work: (server: End) => Promise<void>,
) {
  await stage.hold("far"); // the SYN-ACK
  const client = await stage.client();
  await client.startFast(listener, 1000);
  const server = await listener.accept();
  await server.receive(1000);
  await work(server);
  await stage.hold("near");
  const answered = await timed(() => stage.release("far"));
  await client.finishConnect();
  client.establishedWithin({ from: answered.from, to: client.established.to });
  const released = await timed(() => stage.release("near"));
  client.meet(server, client.opened);
  return { client, server, answered, established: released };
}

async function expectSynData(client: End, accepted: boolean): Promise<void> {
  const { options } = await client.info();
  assert.equal((options & SYN_DATA) !== 0, accepted, "data in the SYN");
}
