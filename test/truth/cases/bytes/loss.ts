/** What is sent again counts once. */
import { strict as assert } from "node:assert";
import type { Case } from "../../case.ts";
import { clientAborts, clientCloses, counted } from "./finish.ts";

export const LOSSES: Case[] = [
  {
    name: "one packet in ten is lost, both ways, in two megabytes",
    section: "bytes",
    act: async (stage) => {
      const session = await stage.connect();
      const { client, server } = session;
      await stage.thin(10, "near", "far");
      await client.exchange(1_200_007, 800_009);
      assert.ok(await stage.lost("near") > 0 && await stage.lost("far") > 0, "nothing was lost");
      await stage.mend();
      return await clientCloses(session, {
        client: await counted(client),
        server: await counted(server),
      });
    },
  },
  {
    name: "one packet in four is lost on its way to the server, then the client aborts",
    section: "bytes",
    act: async (stage) => {
      const session = await stage.connect({ family: "ipv6" });
      const { client, server } = session;
      await stage.thin(4, "far");
      await client.transfer(300_007);
      assert.ok(await stage.lost("far") > 0, "nothing was lost");
      await stage.mend("far");
      return await clientAborts(session, {
        client: await counted(client),
        server: await counted(server),
      });
    },
  },
  {
    name: "one packet in three is lost on its way to the client",
    section: "bytes",
    act: async (stage) => {
      const session = await stage.connect();
      const { client, server } = session;
      await stage.thin(3, "near");
      for (let i = 0; i < 20 && await stage.lost("near") === 0; i++) await server.transfer(100_003);
      assert.ok(await stage.lost("near") > 0, "nothing was lost");
      await client.transfer(7);
      await stage.mend("near");
      return await clientCloses(session, {
        client: await counted(client),
        server: await counted(server),
      });
    },
  },
];
