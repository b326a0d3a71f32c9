/** Processes that become another program, or change their user. */
import type { Case } from "../../case.ts";
import { pause } from "../../stage.ts";
import { finish, of } from "./finish.ts";

const NAMELESS = 54321;

export const CHANGES: Case[] = [
  {
    name: "a client runs another program after it has connected",
    section: "owner",
    act: async (stage) => {
      const session = await stage.connect();
      const { client } = session;
      const before = client.actor.process;
      await client.actor.execute(await stage.program("truth-after"), "truth-after");
      await client.transfer(10);
      // /proc now shows another program
      return await finish(session, { client: { ...of(before), ownerMayBeGone: true } });
    },
  },
  {
    name: "a client connects again as another program",
    section: "owner",
    act: async (stage) => {
      const session = await stage.connect();
      const { client } = session;
      await client.actor.execute(await stage.program("truth-after"), "truth-after");
      const { actor } = client;
      const second = await stage.join(
        await stage.client({ actor, what: "second client" }),
        await stage.listen(),
      );
      await second.client.transfer(20);
      return [
        ...await finish(second),
        ...await finish(session, { client: { ownerMayBeGone: true } }),
      ];
    },
  },
  {
    name: "a client connects again as another program of the same name",
    section: "owner",
    act: async (stage) => {
      const first = await stage.connect();
      const { actor } = first.client;
      const ends = await finish(first);
      await pause(200); // its span is made from what /proc knows then
      await actor.execute(await stage.program(actor.process.exe), "truth-after");
      const second = await stage.join(
        await stage.client({ actor, what: "second client" }),
        await stage.listen(),
      );
      return [...ends, ...await finish(second)];
    },
  },
  {
    name: "a server's child runs another program, which uses the accepted socket, as inetd does",
    section: "owner",
    act: async (stage) => {
      const session = await stage.connect();
      const { client, server } = session;
      const child = await stage.split(server.actor, "truth-child");
      await server.actor.close(server.socket);
      await child.execute(await stage.program("truth-service"), "truth-service");
      server.goesTo(child);
      await client.transfer(10);
      return await finish(session, { server: of(child) });
    },
  },
  {
    name: "a listener is inherited by another program, which accepts, as systemd does",
    section: "owner",
    act: async (stage) => {
      const listener = await stage.listen();
      const service = await stage.split(listener.actor, "truth-child");
      await service.execute(await stage.program("truth-service"), "truth-service");
      const session = await stage.join(await stage.client(), listener.in(service));
      await session.client.transfer(10);
      return await finish(session);
    },
  },
  {
    name: "a listener is inherited by another program, which only closes what it accepts",
    section: "owner",
    act: async (stage) => {
      const listener = await stage.listen();
      const service = await stage.split(listener.actor, "truth-child");
      await service.execute(await stage.program("truth-service"), "truth-service");
      return await finish(await stage.join(await stage.client(), listener.in(service)));
    },
  },
  {
    name: "a server runs another program after it listened, which accepts",
    section: "owner",
    act: async (stage) => {
      const listener = await stage.listen();
      await listener.actor.execute(await stage.program("truth-service"), "truth-service");
      const session = await stage.join(await stage.client(), listener);
      await session.client.transfer(10);
      return await finish(session);
    },
  },
  {
    name: "a client changes its user after it has connected",
    section: "owner",
    act: async (stage) => {
      const session = await stage.connect();
      await session.client.actor.setUser(NAMELESS);
      await session.client.transfer(10);
      return await finish(session);
    },
  },
  {
    name: "a client connects as root, and again as another user",
    section: "owner",
    act: async (stage) => {
      const first = await stage.connect();
      const { actor } = first.client;
      const ends = await finish(first);
      await actor.setUser(NAMELESS);
      const second = await stage.join(
        await stage.client({ actor, what: "second client" }),
        await stage.listen(),
      );
      return [...ends, ...await finish(second)];
    },
  },
  {
    name: "a server changes its user after it listened, and accepts",
    section: "owner",
    act: async (stage) => {
      const listener = await stage.listen();
      await listener.actor.setUser(NAMELESS);
      const session = await stage.join(await stage.client(), listener);
      await session.client.transfer(10);
      return await finish(session);
    },
  },
];
