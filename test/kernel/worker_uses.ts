/** What a prefork worker does with a connection that it accepted on its parent's listener. */
import type { OwnerSource } from "../../src/session/session.ts";
import type { Actor } from "./actor.ts";

/** One use, and how the worker is found by it. */
export interface WorkerUse {
  readonly name: string;
  readonly act: (client: Actor, server: Actor) => Promise<unknown>;
  readonly source: OwnerSource;
}

/** The names stand behind `worker that`. */
export const WORKER_USES: readonly WorkerUse[] = [
  {
    name: "receives",
    act: async (client, server) => {
      await client.send("s", 1000);
      await server.receive("s", 1000);
    },
    source: "recv",
  },
  {
    name: "only sends",
    act: async (client, server) => {
      await server.send("s", 1000);
      await client.receive("s", 1000);
    },
    source: "recv",
  },
  { name: "only closes", act: () => Promise.resolve(), source: "close" },
];
