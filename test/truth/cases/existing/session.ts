/** Sessions that both ends had when the tracers started. */
import type { Case, ExpectedEnd } from "../../case.ts";
import type { Session } from "../../stage.ts";
import { existing } from "./existing.ts";

export const SESSIONS: Case[] = [
  existing("an idle session, ended by the client's reset", async (stage) => {
    const { client, server } = await stage.connect();
    return async (old) => {
      await client.abort();
      await server.receiveError();
      await server.close();
      return [
        client.ended("established", "local", "aborted", old),
        server.ended("established", "peer", "reset", old),
      ];
    };
  }),
  existing("an idle session, ended by the server's reset", async (stage) => {
    const { client, server } = await stage.connect();
    return async (old) => {
      await server.abort();
      await client.receiveError();
      return [
        client.ended("established", "peer", "reset", old), // left open
        server.ended("established", "local", "aborted", old),
      ];
    };
  }),
  existing("an idle session, ended by the client's FIN", async (stage) => {
    const session = await stage.connect();
    return (old) => finish(session, { ...old, ownerSource: "close" });
  }),
  existing("an idle session over IPv6, ended by the client's FIN", async (stage) => {
    const session = await stage.connect({ family: "ipv6" });
    return (old) => finish(session, { ...old, ownerSource: "close" });
  }),
  existing("an idle session over IPv6, ended by a reset", async (stage) => {
    const { client, server } = await stage.connect({ family: "ipv6" });
    await client.transfer(100);
    return async (old) => {
      await client.abort();
      await server.receiveError();
      await server.close();
      return [
        client.ended("established", "local", "aborted", old),
        server.ended("established", "peer", "reset", old),
      ];
    };
  }),
  existing("an idle session over loopback, ended by the client's FIN", async (stage) => {
    const session = await stage.connect({ loopback: true });
    await session.client.transfer(100);
    return (old) => finish(session, { ...old, ownerSource: "close" });
  }),
  existing("an idle client is killed", async (stage) => {
    const { client, server } = await stage.connect();
    await client.transfer(100);
    return async (old) => {
      await client.kill();
      await server.receiveFin();
      await server.close();
      const closed: Partial<ExpectedEnd> = { ...old, ownerSource: "close" };
      return [
        client.ended("fin_wait2", "local", "fin", closed),
        server.ended("last_ack", "peer", "fin", closed),
      ];
    };
  }),
  existing("a session that is used afterwards", async (stage) => {
    const session = await stage.connect();
    return async (old) => {
      await session.client.transfer(1000);
      return await finish(session, { ...old, ownerSource: "recv" });
    };
  }),
  existing("a session that is used afterwards, and ended by a reset", async (stage) => {
    const { client, server } = await stage.connect();
    return async (old) => {
      await client.transfer(1000);
      await client.abort();
      await server.receiveError();
      await server.close();
      const used: Partial<ExpectedEnd> = { ...old, ownerSource: "recv" };
      return [
        client.ended("established", "local", "aborted", used),
        server.ended("established", "peer", "reset", used),
      ];
    };
  }),
  existing("a session with payload before and after the start", async (stage) => {
    const session = await stage.connect();
    await session.client.transfer(1000);
    await session.server.transfer(20_000);
    return async (old) => {
      await session.client.transfer(300_000);
      await session.server.transfer(4000);
      return await finish(session, { ...old, ownerSource: "recv" });
    };
  }),
  existing("a session with payload before the start alone", async (stage) => {
    const session = await stage.connect({ family: "ipv6" });
    await session.client.transfer(1000);
    await session.server.transfer(20_000);
    return (old) => finish(session, { ...old, ownerSource: "close" });
  }),
  existing("payload from before the start is read afterwards", async (stage) => {
    const session = await stage.connect();
    await session.client.sendUnread(1000);
    return async (old) => {
      await session.server.receive(1000);
      return await finish(session, { ...old, ownerSource: "close" }, { ownerSource: "recv" });
    };
  }),
  existing("payload from before the start is never read", async (stage) => {
    const { client, server } = await stage.connect();
    await client.sendUnread(1000);
    return async (old) => {
      await server.close();
      await client.receiveError();
      await client.close();
      return [
        client.ended("established", "peer", "reset", old),
        server.ended("established", "local", "aborted", old),
      ];
    };
  }),
];

/** The client closes, then the server. */
async function finish(
  { client, server }: Session,
  old: Partial<ExpectedEnd>,
  ofServer: Partial<ExpectedEnd> = {},
): Promise<ExpectedEnd[]> {
  await client.close();
  await server.receiveFin();
  await server.close();
  return [
    client.ended("fin_wait2", "local", "fin", old),
    server.ended("last_ack", "peer", "fin", { ...old, ...ofServer }),
  ];
}
