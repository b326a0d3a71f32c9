/** How most sessions of these cases end, and whose they are. */
import type { Actor, ProcessTruth } from "../../../kernel/actor.ts";
import type { ExpectedEnd } from "../../case.ts";
import type { Session } from "../../stage.ts";

/** What `ended()` needs for an end that another process than its first actor owns. */
export function of(owner: Actor | ProcessTruth, thread?: string): Partial<ExpectedEnd> {
  const process = "process" in owner ? owner.process : owner;
  return { owner: process, thread: thread ?? process.comm };
}

/** The client closes, then the server. @returns both ends */
export async function finish(
  { client, server }: Session,
  special: { client?: Partial<ExpectedEnd>; server?: Partial<ExpectedEnd> } = {},
): Promise<ExpectedEnd[]> {
  await client.close();
  await server.receiveFin();
  await server.close();
  return [
    client.ended("fin_wait2", "local", "fin", special.client),
    server.ended("last_ack", "peer", "fin", special.server),
  ];
}
