/** Sockets that two processes had copies of when the tracers started, or later. */
import type { Case, ExpectedEnd } from "../../case.ts";
import { finish, of } from "../owner/finish.ts";
import { timed } from "../../window.ts";
import { existing } from "./existing.ts";

export const SHARED: Case[] = [
  existing("a server and its child share the socket, the child uses it", async (stage) => {
    const session = await stage.connect();
    const { client, server } = session;
    const child = await stage.split(server.actor, "truth-child");
    return async (old) => {
      const parent = server.actor;
      server.goesTo(child);
      await client.transfer(10);
      await parent.close(server.socket);
      const used: Partial<ExpectedEnd> = { ...old, ownerSource: "recv" };
      return await finish(session, { client: used, server: { ...used, ...of(child) } });
    };
  }),
  existing("a client and its child share the socket, the child closes it last", async (stage) => {
    const session = await stage.connect();
    const { client } = session;
    const child = await stage.split(client.actor, "truth-child");
    return async (old) => {
      await client.actor.close(client.socket);
      client.goesTo(child);
      const closed: Partial<ExpectedEnd> = { ...old, ownerSource: "close" };
      return await finish(session, { client: { ...closed, ...of(child) }, server: closed });
    };
  }),
  existing("a prefork worker has an idle session", async (stage) => {
    const listener = await stage.listen();
    const worker = await stage.split(listener.actor, "truth-worker");
    const { client, server } = await stage.join(await stage.client(), listener.in(worker));
    return async (old) => {
      await client.abort();
      await server.receiveError();
      return [
        client.ended("established", "local", "aborted", old),
        server.ended("established", "peer", "reset", old), // left open
      ];
    };
  }),
  existing("a client's socket was passed by SCM_RIGHTS, and idle since", async (stage) => {
    const { client, server } = await stage.connect();
    const taker = await stage.actor("near", { comm: "truth-taker" });
    await client.actor.pass(client.socket, taker);
    await client.actor.close(client.socket);
    client.goesTo(taker);
    return async (old) => {
      await server.abort();
      await client.receiveError();
      await client.close();
      return [
        client.ended("established", "peer", "reset", { ...old, ...of(taker) }),
        server.ended("established", "local", "aborted", old),
      ];
    };
  }),
  existing("a process that is younger than the tracer uses the socket", async (stage) => {
    const session = await stage.connect();
    const { client, server } = session;
    return async (old) => {
      const parent = server.actor;
      const start = await timed(async () =>
        server.goesTo(await stage.split(parent, "truth-child"))
      );
      await client.transfer(10);
      await parent.close(server.socket);
      const used: Partial<ExpectedEnd> = { ...old, ownerSource: "recv" };
      const child = { ...of(server.actor), start, outlivesClient: false };
      return await finish(session, { client: used, server: { ...used, ...child } });
    };
  }),
];
