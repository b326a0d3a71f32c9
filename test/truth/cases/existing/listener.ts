/** Listeners, and what nobody had accepted when the tracers started. */
import type { Case, ExpectedEnd } from "../../case.ts";
import { End } from "../../end.ts";
import type { Listener } from "../../listener.ts";
import type { Stage } from "../../stage.ts";
import { finish } from "../owner/finish.ts";
import { existing } from "./existing.ts";

export const LISTENERS: Case[] = [
  existing("a listener that accepts afterwards", async (stage) => {
    const listener = await stage.listen();
    return async () => {
      const session = await stage.join(await stage.client(), listener);
      await session.client.transfer(10);
      return await finish(session);
    };
  }),
  existing("a listener that accepts afterwards, and only closes", async (stage) => {
    const listener = await stage.listen({ family: "ipv6" });
    return async () => {
      return await finish(await stage.join(await stage.client({ family: "ipv6" }), listener));
    };
  }),
  existing("a listener that closes with a later session that nobody accepted", async (stage) => {
    const listener = await stage.listen();
    return async () => {
      const client = await stage.client();
      await client.connectAlone(listener);
      return await refuse(listener, client, End.unaccepted(client, listener));
    };
  }),
  existing("a later session that the client resets, and the server leaves open", async (stage) => {
    const listener = await stage.listen();
    return async () => {
      const { client, server } = await stage.join(await stage.client(), listener);
      await client.abort();
      await server.untilGone();
      return [
        client.ended("established", "local", "aborted"),
        server.ended("established", "peer", "reset", { ownerSource: "listen" }),
      ];
    };
  }),
  existing("a session that is accepted and used afterwards", async (stage) => {
    const { client, listener } = await queued(stage);
    return async (old) => {
      const server = await listener.accept();
      client.meet(server, client.opened);
      await client.transfer(10);
      const used: Partial<ExpectedEnd> = { ...old, ownerSource: "recv" };
      return await finish({ client, server }, { client: used, server: used });
    };
  }),
  existing("a session with data that is accepted afterwards", async (stage) => {
    const { client, listener } = await queued(stage);
    await client.sendUnread(10);
    return async (old) => {
      const server = await listener.accept();
      client.meet(server, client.opened);
      await server.receive(10);
      return await finish({ client, server }, {
        client: { ...old, ownerSource: "close" },
        server: { ...old, ownerSource: "recv" },
      });
    };
  }),
  existing("a session that is accepted afterwards, and only closed", async (stage) => {
    const { client, listener } = await queued(stage);
    return async (old) => {
      const server = await listener.accept();
      client.meet(server, client.opened);
      const closed: Partial<ExpectedEnd> = { ...old, ownerSource: "close" };
      return await finish({ client, server }, { client: closed, server: closed });
    };
  }),
  existing("a session that is never accepted", async (stage) => {
    const { client, listener } = await queued(stage);
    return (old) =>
      refuse(listener, client, End.unaccepted(client, listener), old, {
        // no process ever had a descriptor of it
        ...old,
        owner: "none",
        ownerSource: "unknown",
      });
  }),
];

/** A session that waits to be accepted. */
async function queued(stage: Stage) {
  const listener = await stage.listen();
  const client = await stage.client();
  await client.connectAlone(listener);
  return { client, listener };
}

/** The listener closes, and with it a session that it has not accepted. */
async function refuse(
  listener: Listener,
  client: End,
  server: End,
  ofClient: Partial<ExpectedEnd> = {},
  ofServer: Partial<ExpectedEnd> = {},
): Promise<ExpectedEnd[]> {
  server.closedWithin(await listener.close());
  await client.receiveError();
  await client.close();
  return [
    client.ended("established", "peer", "reset", ofClient),
    server.ended("established", "local", "aborted", ofServer),
  ];
}
