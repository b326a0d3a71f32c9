/** Sequence numbers have 32 bits, and counters of bytes more. */
import type { Case } from "../../case.ts";
import type { End } from "../../end.ts";
import { clientAborts, clientCloses, counted } from "./finish.ts";

const RECEIVE_QUEUE = 1; // include/uapi/linux/tcp.h
const SEND_QUEUE = 2;
const FOUR_GIB = 2 ** 32;

export const SEQUENCES: Case[] = [
  {
    name: "more than four gigabytes from the client",
    section: "bytes",
    alone: true, // it takes the whole machine
    act: async (stage) => {
      const session = await stage.connect({ loopback: true, address: "127.0.0.1" });
      const { client, server } = session;
      await client.exchange(FOUR_GIB + 12_345, 0);
      return await clientCloses(session, {
        client: await counted(client),
        server: await counted(server),
      });
    },
  },
  {
    name: "more than four gigabytes from the server",
    section: "bytes",
    alone: true,
    act: async (stage) => {
      const session = await stage.connect({ loopback: true, address: "127.0.0.1" });
      const { client, server } = session;
      await client.exchange(1, FOUR_GIB + 1);
      return await clientAborts(session, {
        client: await counted(client),
        server: await counted(server),
      });
    },
  },
  ...[0xffff_ffff, 0xffff_fffe, 0xffff_ff00].map((first): Case => ({
    name: `the client's initial sequence number is ${first}`,
    section: "bytes",
    act: async (stage) => {
      const client = await stage.client();
      await startAt(client, first);
      const session = await stage.join(client, await stage.listen());
      await client.transfer(1000);
      await session.server.transfer(500);
      return await clientCloses(session);
    },
  })),
  {
    name: "an attempt with an initial sequence number of 4294967295 is refused",
    section: "bytes",
    act: async (stage) => {
      const client = await stage.client({ bound: true });
      await startAt(client, 0xffff_ffff);
      await client.failToConnect({ address: stage.addresses.far.ipv4, port: stage.port() });
      return [client.ended("syn_sent", "peer", "refused")];
    },
  },
  {
    name: "two that connect to each other with initial numbers near 2^32",
    section: "bytes",
    act: async (stage) => {
      const near = await stage.client({ what: "near end", bound: true });
      const far = await stage.client({ what: "far end", side: "far", bound: true });
      await startAt(near, 0xffff_ffff);
      await startAt(far, 0xffff_ff00);
      await stage.hold("near", "far");
      await near.startConnect(far.local);
      await far.startConnect(near.local);
      await stage.release("near");
      await stage.release("far");
      await Promise.all([near.finishConnect(), far.finishConnect()]);
      near.pair(far);
      await near.transfer(1000);
      await far.transfer(2000);
      await near.close();
      await far.receiveFin();
      await far.close();
      const session = "simultaneous";
      return [
        near.ended("fin_wait2", "local", "fin", { session }),
        far.ended("last_ack", "peer", "fin", { session }),
      ];
    },
  },
  {
    name: "a session restored by TCP_REPAIR",
    section: "bytes",
    act: async (stage) => {
      const near = await stage.client({ what: "near end", bound: true });
      const far = await stage.client({
        what: "far end",
        side: "far",
        bound: true,
        comm: "truth-server",
      });
      await restore(near, far, 0xffff_fff0, 5000);
      near.pair(far);
      await near.transfer(61); // in one segment: the window is not restored, so the session is slow
      await far.transfer(33);
      await near.close();
      await far.receiveFin();
      await far.close();
      // no SYN was sent: there was no handshake, and the numbers are from another session
      const special = { session: undefined, handshakeUs: undefined };
      return [
        near.ended("fin_wait2", "local", "fin", special),
        far.ended("last_ack", "peer", "fin", special),
      ];
    },
  },
];

/** Makes the next connect of `end` start with this sequence number. */
async function startAt(end: End, sequence: number): Promise<void> {
  await end.setOption("TCP_REPAIR", 1);
  await setSequence(end, SEND_QUEUE, sequence);
  await end.setOption("TCP_REPAIR", 0);
}

/** Makes two sockets think that they have a session, as restored from a checkpoint. */
async function restore(near: End, far: End, ofNear: number, ofFar: number): Promise<void> {
  for (const [end, own, other] of [[near, ofNear, ofFar], [far, ofFar, ofNear]] as const) {
    await end.setOption("TCP_REPAIR", 1);
    await setSequence(end, SEND_QUEUE, own);
    await setSequence(end, RECEIVE_QUEUE, other);
  }
  const [nearLocal, farLocal] = [near.local, far.local];
  await near.connectAlone(farLocal);
  await far.connectAlone(nearLocal);
  for (const end of [near, far]) await end.setOption("TCP_REPAIR", 0);
}

async function setSequence(end: End, queue: number, sequence: number): Promise<void> {
  await end.setOption("TCP_REPAIR_QUEUE", queue);
  await end.setOption("TCP_QUEUE_SEQ", sequence | 0); // an int
}
