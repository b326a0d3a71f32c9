/** Processes that share one listener. */
import type { Actor } from "../../../kernel/actor.ts";
import type { Case, ExpectedEnd } from "../../case.ts";
import type { Listener } from "../../listener.ts";
import { pause, type Session, type Stage } from "../../stage.ts";
import { finish, of } from "./finish.ts";

export const WORKERS: Case[] = [
  {
    name: "a prefork worker receives",
    section: "owner",
    act: async (stage) => {
      const session = await prefork(stage);
      await session.client.transfer(10);
      return await finish(session);
    },
  },
  {
    name: "a prefork worker only sends",
    section: "owner",
    act: async (stage) => {
      const session = await prefork(stage);
      await session.server.transfer(10);
      return await finish(session);
    },
  },
  {
    name: "a prefork worker only closes",
    section: "owner",
    act: async (stage) => await finish(await prefork(stage)),
  },
  {
    name: "a prefork worker shuts down, then the client resets",
    section: "owner",
    act: async (stage) => {
      const { client, server } = await prefork(stage);
      await server.shutdown();
      await client.receiveFin();
      await server.untilAcknowledged();
      await client.abort();
      await server.untilGone();
      await server.close();
      return [
        client.ended("close_wait", "peer", "aborted"),
        server.ended("fin_wait2", "local", "reset"),
      ];
    },
  },
  {
    name: "a prefork worker never used its socket, is reset, and closes it",
    section: "owner",
    act: async (stage) => {
      const { client, server } = await prefork(stage);
      await client.abort();
      await server.untilGone();
      await pause(100);
      await server.close();
      return [
        client.ended("established", "local", "aborted"),
        server.ended("established", "peer", "reset"),
      ];
    },
  },
  {
    name: "a prefork worker never used its socket, is reset, and leaves it open",
    section: "owner",
    act: async (stage) => {
      const { client, server, parent } = await prefork(stage);
      await client.abort();
      await server.untilGone();
      return [
        client.ended("established", "local", "aborted"),
        server.ended("established", "peer", "reset", { ...of(parent), ownerSource: "listen" }),
      ];
    },
  },
  {
    name: "a prefork worker never used its socket, is reset, and its parent is gone",
    section: "owner",
    act: async (stage) => {
      const { client, server, parent } = await prefork(stage);
      await parent.exit();
      await client.abort();
      await server.untilGone();
      const listened: Partial<ExpectedEnd> = { ...of(parent), ownerSource: "listen" };
      return [
        client.ended("established", "local", "aborted"),
        server.ended("established", "peer", "reset", { ...listened, ownerMayBeGone: true }),
      ];
    },
  },
  {
    name: "a server never used its socket, is reset, and leaves it open",
    section: "owner",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.abort();
      await server.untilGone();
      return [
        client.ended("established", "local", "aborted"),
        server.ended("established", "peer", "reset", { ownerSource: "listen" }),
      ];
    },
  },
  {
    name: "a server that used its socket is reset, and leaves it open",
    section: "owner",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await client.abort();
      await server.untilGone();
      return [
        client.ended("established", "local", "aborted"),
        server.ended("established", "peer", "reset"),
      ];
    },
  },
  {
    name: "two prefork workers have one session each",
    section: "owner",
    act: async (stage) => {
      const listener = await stage.listen();
      const ends: ExpectedEnd[] = [];
      const sessions: Session[] = [];
      for (const comm of ["truth-worker-1", "truth-worker-2"]) {
        const worker = await stage.split(listener.actor, comm);
        sessions.push(await stage.join(await stage.client({ what: comm }), listener.in(worker)));
      }
      for (const { client } of sessions) await client.transfer(10);
      for (const session of sessions) ends.push(...await finish(session));
      return ends;
    },
  },
  {
    name: "two processes share a port by SO_REUSEPORT",
    section: "owner",
    act: async (stage) => {
      const one = await stage.listen({ shared: true, comm: "truth-share-1" });
      const two = await stage.listen({ shared: true, comm: "truth-share-2", port: one.port });
      const ends: ExpectedEnd[] = [];
      for (const what of ["a", "b", "c", "d", "e", "f"]) {
        const client = await stage.client({ what });
        await client.connectAlone(one);
        const server = await (await whoeverCan(one, two)).accept();
        client.meet(server, client.opened);
        await client.transfer(10);
        ends.push(...await finish({ client, server }));
      }
      return ends;
    },
  },
  {
    name: "two processes share a port by SO_REUSEPORT, and only close",
    section: "owner",
    act: async (stage) => {
      const one = await stage.listen({ shared: true, comm: "truth-share-1" });
      const two = await stage.listen({ shared: true, comm: "truth-share-2", port: one.port });
      const ends: ExpectedEnd[] = [];
      for (const what of ["a", "b", "c", "d"]) {
        const client = await stage.client({ what });
        await client.connectAlone(one);
        const server = await (await whoeverCan(one, two)).accept();
        client.meet(server, client.opened);
        ends.push(...await finish({ client, server }));
      }
      return ends;
    },
  },
];

/** A session that a child has accepted from its parent's listener. */
async function prefork(stage: Stage): Promise<Session & { readonly parent: Actor }> {
  const listener = await stage.listen({ comm: "truth-prefork" });
  const worker = await stage.split(listener.actor, "truth-worker");
  const session = await stage.join(await stage.client(), listener.in(worker));
  return { ...session, parent: listener.actor };
}

/** Waits until a listener has a session to accept. @returns that listener */
async function whoeverCan(...listeners: readonly Listener[]): Promise<Listener> {
  for (;;) {
    for (const listener of listeners) {
      if (await listener.actor.isReady(listener.socket)) return listener;
    }
  }
}
