/** The simplest session: what matters is where it is. */
import type { ExpectedEnd } from "../../case.ts";
import type { Session } from "../../stage.ts";

/** What is special about the ends. */
export interface Special {
  readonly client?: Partial<ExpectedEnd>;
  readonly server?: Partial<ExpectedEnd>;
}

/** Sends both ways; then the client closes, and the server after it. */
export async function talk(
  { client, server }: Session,
  special: Special = {},
): Promise<ExpectedEnd[]> {
  await client.transfer(1000);
  await server.transfer(2000);
  await client.close();
  await server.receiveFin();
  await server.close();
  return [
    client.ended("fin_wait2", "local", "fin", special.client),
    server.ended("last_ack", "peer", "fin", special.server),
  ];
}
