/** One process for each end. */
import type { Case } from "../../case.ts";
import { pause } from "../../stage.ts";
import { untilNow } from "../../window.ts";
import { finish, of } from "./finish.ts";

/** A user with a name. */
const NOBODY = 65534;
/** A user without one. */
const NAMELESS = 54321;

export const PLAIN: Case[] = [
  {
    name: "the client connects, the server receives",
    section: "owner",
    act: async (stage) => {
      const session = await stage.connect();
      await session.client.transfer(10);
      return await finish(session);
    },
  },
  {
    name: "the server only sends",
    section: "owner",
    act: async (stage) => {
      const session = await stage.connect();
      await session.server.transfer(10);
      return await finish(session);
    },
  },
  {
    name: "the server only closes",
    section: "owner",
    act: async (stage) => await finish(await stage.connect()),
  },
  {
    name: "one process connects to itself",
    section: "owner",
    act: async (stage) => {
      const actor = await stage.actor("near", { comm: "truth-both" });
      const listener = await stage.listen({ loopback: true, actor });
      const client = await stage.client({ actor, address: "127.0.0.1" });
      await client.connectAlone(listener);
      const server = await listener.accept();
      client.meet(server, client.opened);
      await client.sendUnread(10);
      await server.receive(10);
      return await finish({ client, server });
    },
  },
  {
    name: "the client's connecting thread has a name of its own",
    section: "owner",
    act: async (stage) => {
      const listener = await stage.listen();
      const client = await stage.client();
      client.actor.thread = "truth-connects";
      const session = await stage.join(client, listener);
      client.actor.thread = "truth-sends";
      await client.transfer(10);
      return await finish(session, { client: of(client.actor, "truth-connects") });
    },
  },
  {
    name: "one thread of the server accepts, another receives, a third closes",
    section: "owner",
    act: async (stage) => {
      const listener = await stage.listen();
      const { actor } = listener;
      actor.thread = "truth-accepts";
      const session = await stage.join(await stage.client(), listener);
      actor.thread = "truth-receives";
      await session.client.transfer(10);
      actor.thread = "truth-closes";
      return await finish(session, { server: of(actor, "truth-receives") });
    },
  },
  {
    name: "one thread of the server accepts, another only closes",
    section: "owner",
    act: async (stage) => {
      const listener = await stage.listen();
      listener.actor.thread = "truth-accepts";
      const session = await stage.join(await stage.client(), listener);
      listener.actor.thread = "truth-closes";
      return await finish(session, { server: of(listener.actor, "truth-closes") });
    },
  },
  {
    name: "the processes of two other users",
    section: "owner",
    act: async (stage) => {
      const server = await stage.actor("far", { comm: "truth-nameless", uid: NAMELESS });
      const client = await stage.actor("near", { comm: "truth-nobody", uid: NOBODY });
      const listener = await stage.listen({ actor: server });
      const session = await stage.join(await stage.client({ actor: client }), listener);
      await session.client.transfer(10);
      return await finish(session);
    },
  },
  {
    name: "a client that is gone before its session ends",
    section: "owner",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await stage.hold("far"); // its FIN's acknowledgement
      await client.exit();
      await server.receiveFin();
      await stage.release("far");
      await pause(50);
      const end = untilNow(client.closed);
      await server.close();
      return [
        client.ended("fin_wait2", "local", "fin", { end }),
        server.ended("last_ack", "peer", "fin"),
      ];
    },
  },
];
