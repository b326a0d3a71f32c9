/** Processes that are killed with open sockets. */
import type { Case, ExpectedEnd } from "../../case.ts";
import type { End } from "../../end.ts";

export const ENDINGS: Case[] = [
  {
    name: "a server is killed that has used its socket",
    section: "owner",
    act: async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await server.kill();
      await client.receiveFin();
      await client.close();
      return [
        client.ended("last_ack", "peer", "fin"),
        server.ended("fin_wait2", "local", "fin"),
      ];
    },
  },
  {
    name: "a prefork worker is killed that has used its socket",
    section: "owner",
    act: async (stage) => {
      const listener = await stage.listen();
      const worker = await stage.split(listener.actor, "truth-worker");
      const { client, server } = await stage.join(await stage.client(), listener.in(worker));
      await client.transfer(10);
      await server.kill();
      await client.receiveFin();
      await client.close();
      return [
        client.ended("last_ack", "peer", "fin"),
        server.ended("fin_wait2", "local", "fin"),
      ];
    },
  },
  {
    name: "a prefork worker is killed that never used its socket",
    section: "owner",
    act: async (stage) => {
      const listener = await stage.listen();
      const worker = await stage.split(listener.actor, "truth-worker");
      const { client, server } = await stage.join(await stage.client(), listener.in(worker));
      await server.kill();
      await client.receiveFin();
      await client.close();
      return [
        client.ended("last_ack", "peer", "fin"),
        server.ended("fin_wait2", "local", "fin", nameless(server)),
      ];
    },
  },
  {
    name: "a prefork worker is killed with data that it never read",
    section: "owner",
    act: async (stage) => {
      const listener = await stage.listen();
      const worker = await stage.split(listener.actor, "truth-worker");
      const { client, server } = await stage.join(await stage.client(), listener.in(worker));
      await client.sendUnread(10);
      await server.kill();
      await client.receiveError();
      await client.close();
      return [
        client.ended("established", "peer", "reset"),
        server.ended("established", "local", "aborted", nameless(server)),
      ];
    },
  },
];

/** A process that exits has no memory, and so no executable, when its sockets close. */
function nameless({ actor: { process } }: End): Partial<ExpectedEnd> {
  return { owner: { ...process, exe: "" } };
}
