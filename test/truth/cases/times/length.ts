/** How long a session was. */
import type { Case } from "../../case.ts";
import { End } from "../../end.ts";
import { pause } from "../../stage.ts";
import { clientCloses } from "../bytes/finish.ts";

export const LENGTHS: Case[] = [
  {
    name: "a session of three idle seconds",
    section: "times",
    act: async (stage) => {
      const session = await stage.connect();
      await session.client.transfer(10);
      await pause(3000);
      await session.server.transfer(10);
      return await clientCloses(session);
    },
  },
  {
    name: "a session of microseconds, that nobody accepts",
    section: "times",
    act: async (stage) => {
      const listener = await stage.listen({ loopback: true });
      const client = await stage.client({ address: "127.0.0.1" });
      await client.connectAndAbort(listener);
      const server = End.unaccepted(client, listener);
      return [
        client.ended("established", "local", "aborted"),
        server.ended("established", "peer", "reset"),
      ];
    },
  },
  {
    name: "a session is accepted a second and a half after it was established",
    section: "times",
    act: async (stage) => {
      const listener = await stage.listen();
      const client = await stage.client();
      await client.connectAlone(listener);
      await pause(1500);
      const server = await listener.accept();
      client.meet(server, client.opened);
      server.establishedWithin(client.opened);
      await client.transfer(10);
      return await clientCloses({ client, server });
    },
  },
];
