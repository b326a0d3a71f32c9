/** Sockets that go from one process to another. */
import type { Case } from "../../case.ts";
import { finish, of } from "./finish.ts";

export const PASSED: Case[] = [
  {
    name: "a parent accepts, its child receives, and the parent has no copy any more",
    section: "owner",
    act: async (stage) => {
      const session = await stage.connect();
      const { client, server } = session;
      const parent = server.actor;
      const child = await stage.split(parent, "truth-child");
      await parent.close(server.socket);
      server.goesTo(child);
      await client.transfer(10);
      return await finish(session, { server: of(child) });
    },
  },
  {
    name: "a parent accepts, its child receives, and the parent closes last",
    section: "owner",
    act: async (stage) => {
      const session = await stage.connect();
      const { client, server } = session;
      const parent = server.actor;
      const child = await stage.split(parent, "truth-child");
      server.goesTo(child);
      await client.transfer(10);
      await child.close(server.socket);
      server.goesTo(parent);
      return await finish(session, { server: of(child) });
    },
  },
  {
    name: "a parent accepts, and its child only closes",
    section: "owner",
    act: async (stage) => {
      const session = await stage.connect();
      const { server } = session;
      const child = await stage.split(server.actor, "truth-child");
      await server.actor.close(server.socket);
      server.goesTo(child);
      return await finish(session, { server: of(child) });
    },
  },
  {
    name: "an accepted socket is passed by SCM_RIGHTS before anybody used it",
    section: "owner",
    act: async (stage) => {
      const session = await stage.connect();
      const { client, server } = session;
      const taker = await stage.actor("far", { comm: "truth-taker" });
      await server.actor.pass(server.socket, taker);
      await server.actor.close(server.socket);
      server.goesTo(taker);
      await client.transfer(10);
      return await finish(session, { server: of(taker) });
    },
  },
  {
    name: "an accepted socket is passed by SCM_RIGHTS, and only closed",
    section: "owner",
    act: async (stage) => {
      const session = await stage.connect();
      const { server } = session;
      const taker = await stage.actor("far", { comm: "truth-taker" });
      await server.actor.pass(server.socket, taker);
      await server.actor.close(server.socket);
      server.goesTo(taker);
      return await finish(session, { server: of(taker) });
    },
  },
  {
    name: "a client's socket is passed by SCM_RIGHTS to another process, which uses it",
    section: "owner",
    act: async (stage) => {
      const session = await stage.connect();
      const { client, server } = session;
      const taker = await stage.actor("near", { comm: "truth-taker" });
      await client.actor.pass(client.socket, taker);
      await client.actor.close(client.socket);
      client.goesTo(taker);
      await client.transfer(10);
      await server.transfer(20);
      return await finish(session);
    },
  },
  {
    name: "a client's child uses the socket, and the client is gone",
    section: "owner",
    act: async (stage) => {
      const session = await stage.connect();
      const { client } = session;
      const child = await stage.split(client.actor, "truth-child");
      await client.actor.exit();
      client.goesTo(child);
      await client.transfer(10);
      return await finish(session, { client: { ownerMayBeGone: true } });
    },
  },
  {
    name: "a child connects its parent's socket, which the parent uses",
    section: "owner",
    act: async (stage) => {
      const listener = await stage.listen();
      const client = await stage.client();
      const parent = client.actor;
      const child = await stage.split(parent, "truth-child");
      client.goesTo(child);
      const session = await stage.join(client, listener);
      await child.close(client.socket);
      client.goesTo(parent);
      await client.transfer(10);
      return await finish(session, { client: of(child) });
    },
  },
  {
    name: "a listener is passed by SCM_RIGHTS, and who took it only closes what it accepts",
    section: "owner",
    act: async (stage) => {
      const listener = await stage.listen();
      const taker = await stage.actor("far", { comm: "truth-taker" });
      await listener.actor.pass(listener.socket, taker);
      await listener.actor.exit();
      return await finish(await stage.join(await stage.client(), listener.in(taker)));
    },
  },
];
