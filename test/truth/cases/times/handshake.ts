/** When a session began: slow handshakes. */
import type { Case } from "../../case.ts";
import type { Listener } from "../../listener.ts";
import type { End } from "../../end.ts";
import { pause, type Session, type Stage } from "../../stage.ts";
import { timed, type Window } from "../../window.ts";
import { clientCloses } from "../bytes/finish.ts";

const HELD_MS = 150;

export const HANDSHAKES: Case[] = [
  {
    name: "the SYN is on its way for a while",
    section: "times",
    act: async (stage) => {
      const { client, listener } = await prepare(stage);
      await stage.hold("near");
      await client.startConnect(listener);
      await pause(HELD_MS);
      const released = await timed(() => stage.release("near"));
      const session = await finish(client, listener);
      const arrived = { from: released.from, to: client.established.to };
      client.establishedWithin(arrived);
      session.server.establishedWithin({ from: released.from, to: session.accepted.to });
      return await clientCloses(session, {
        client: { handshakeUs: between(client.opened, arrived) },
        server: { start: arrived, handshakeUs: between(arrived, arrived) },
      });
    },
  },
  {
    name: "the SYN-ACK is on its way for a while",
    section: "times",
    act: async (stage) => {
      const { client, listener } = await prepare(stage);
      await stage.hold("far");
      await client.startConnect(listener);
      await pause(HELD_MS);
      const released = await timed(() => stage.release("far"));
      const session = await finish(client, listener);
      const arrived = { from: released.from, to: client.established.to };
      const accepted = { from: released.from, to: session.accepted.to };
      client.establishedWithin(arrived);
      session.server.establishedWithin(accepted);
      return await clientCloses(session, {
        client: { handshakeUs: between(client.opened, arrived) },
        server: { handshakeUs: between(client.opened, accepted) },
      });
    },
  },
  {
    name: "the last packet of the handshake is on its way for a while",
    section: "times",
    act: async (stage) => {
      const { client, listener } = await prepare(stage);
      const established = await holdLastPacket(stage, client, listener);
      const released = await timed(() => stage.release("near"));
      const session = await finish(client, listener);
      client.establishedWithin(established);
      const accepted = { from: released.from, to: session.accepted.to };
      session.server.establishedWithin(accepted);
      return await clientCloses(session, {
        client: { handshakeUs: between(client.opened, established) },
        server: { handshakeUs: between(client.opened, accepted) },
      });
    },
  },
  {
    name: "the last packet of the handshake is on its way for a while, and SYN cookies are in use",
    section: "times",
    act: async (stage) => {
      await stage.far.sysctl("ipv4.tcp_syncookies", 2); // for every SYN
      const { client, listener } = await prepare(stage);
      const established = await holdLastPacket(stage, client, listener);
      const released = await timed(() => stage.release("near"));
      const session = await finish(client, listener);
      client.establishedWithin(established);
      const accepted = { from: released.from, to: session.accepted.to };
      session.server.establishedWithin(accepted);
      return await clientCloses(session, {
        client: { handshakeUs: between(client.opened, established) },
        // the server remembers nothing of the SYN
        server: { start: accepted, handshakeUs: undefined, rttUs: [1, 1_000_000] }, // as below
      });
    },
  },
  ...[1, 0].map((timestamps): Case => ({
    name: `SYN cookies, with${timestamps ? "" : "out"} the timestamps of TCP`,
    section: "times",
    act: async (stage) => {
      await stage.far.sysctl("ipv4.tcp_syncookies", 2);
      await stage.far.sysctl("ipv4.tcp_timestamps", timestamps);
      const session = await stage.connect();
      await session.server.transfer(10); // a sample of the round trip
      return await clientCloses(session, {
        server: {
          handshakeUs: undefined,
          // the kernel hides options in the timestamps of a cookie: up to 64 ms too much
          rttUs: [1, 100_000],
        },
      });
    },
  })),
  {
    name: "the SYN is lost, and sent again",
    section: "times",
    act: async (stage) => {
      const { client, listener } = await prepare(stage);
      await stage.cut("far");
      await client.startConnect(listener);
      await stage.mend("far");
      const session = await finish(client, listener);
      const arrived = { from: client.opened.to + 900_000_000n, to: client.established.to }; // RFC 6298
      client.establishedWithin(arrived);
      session.server.establishedWithin({ from: arrived.from, to: session.accepted.to });
      return await clientCloses(session, {
        client: { retransmits: 1, handshakeUs: between(client.opened, arrived) },
        server: { start: arrived, handshakeUs: between(arrived, arrived) },
      });
    },
  },
  {
    name: "the SYN-ACK is lost, and sent again",
    section: "times",
    act: async (stage) => {
      const { client, listener } = await prepare(stage);
      await stage.cut("near");
      await client.startConnect(listener);
      await stage.mend("near");
      const session = await finish(client, listener);
      const arrived = { from: client.opened.to + 900_000_000n, to: client.established.to };
      const accepted = { from: arrived.from, to: session.accepted.to };
      client.establishedWithin(arrived);
      session.server.establishedWithin(accepted);
      return await clientCloses(session, {
        // both have a timer of a second
        client: { retransmits: [0, 1], handshakeUs: between(client.opened, arrived) },
        // which of its SYN-ACKs was answered is not known
        server: { start: accepted, handshakeUs: undefined, retransmits: [1, 2] },
      });
    },
  },
  {
    name: "the last packet of the handshake is lost, and data comes in its place",
    section: "times",
    act: async (stage) => {
      const { client, listener } = await prepare(stage);
      await stage.hold("far"); // the SYN-ACK
      await client.startConnect(listener);
      await stage.cut("far");
      const released = await timed(() => stage.release("far"));
      await client.finishConnect();
      client.establishedWithin({ from: released.from, to: client.established.to });
      await stage.mend("far");
      const sent = await client.send(100);
      const server = await listener.accept();
      const accepted = { from: sent.from, to: server.established.to };
      client.meet(server, client.opened);
      server.establishedWithin(accepted);
      await server.receive(100);
      return await clientCloses({ client, server }, {
        client: { handshakeUs: between(client.opened, client.established) },
        server: { handshakeUs: between(client.opened, accepted) },
      });
    },
  },
];

async function prepare(stage: Stage): Promise<{ client: End; listener: Listener }> {
  const listener = await stage.listen();
  for (const side of ["near", "far"] as const) await stage.release(side); // both know each other
  return { client: await stage.client(), listener };
}

/** Connects, except for the client's last packet. @returns when the client was established */
async function holdLastPacket(stage: Stage, client: End, listener: Listener): Promise<Window> {
  await stage.hold("far"); // the SYN-ACK
  await client.startConnect(listener);
  await stage.hold("near");
  const { from } = await timed(() => stage.release("far"));
  await client.finishConnect();
  await pause(HELD_MS);
  return { from, to: client.established.to };
}

/** Waits for both ends. */
async function finish(
  client: End,
  listener: Listener,
): Promise<Session & { readonly accepted: Window }> {
  const [, server] = await Promise.all([client.finishConnect(), listener.accept()]);
  const accepted = server.established;
  client.meet(server, client.opened);
  return { client, server, accepted };
}

/** Microseconds from some time in `first` to some time in `last`. */
function between(first: Window, last: Window): readonly [number, number] {
  const low = Number((last.from - first.to) / 1000n);
  return [Math.max(1, low), Number((last.to - first.from) / 1000n) + 1];
}
