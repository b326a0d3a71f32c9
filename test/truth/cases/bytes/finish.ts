/** How most sessions of these cases end. */
import type { ExpectedEnd } from "../../case.ts";
import type { End } from "../../end.ts";
import type { Session } from "../../stage.ts";

/** What differs from what the actions of each end suggest. */
export interface Special {
  readonly client?: Partial<ExpectedEnd>;
  readonly server?: Partial<ExpectedEnd>;
}

/** The client closes, then the server. */
export async function clientCloses(
  { client, server }: Session,
  special: Special = {},
): Promise<ExpectedEnd[]> {
  await client.close();
  await server.receiveFin();
  await server.close();
  return [
    client.ended("fin_wait2", "local", "fin", special.client),
    server.ended("last_ack", "peer", "fin", special.server),
  ];
}

/** The server closes, then the client. */
export async function serverCloses(
  { client, server }: Session,
  special: Special = {},
): Promise<ExpectedEnd[]> {
  await server.close();
  await client.receiveFin();
  await client.close();
  return [
    client.ended("last_ack", "peer", "fin", special.client),
    server.ended("fin_wait2", "local", "fin", special.server),
  ];
}

/** The client aborts. */
export async function clientAborts(
  { client, server }: Session,
  special: Special = {},
): Promise<ExpectedEnd[]> {
  await client.abort();
  await server.receiveError();
  await server.close();
  return [
    client.ended("established", "local", "aborted", special.client),
    server.ended("established", "peer", "reset", special.server),
  ];
}

/** The server aborts. */
export async function serverAborts(
  { client, server }: Session,
  special: Special = {},
): Promise<ExpectedEnd[]> {
  await server.abort();
  await client.receiveError();
  await client.close();
  return [
    client.ended("established", "peer", "reset", special.client),
    server.ended("established", "local", "aborted", special.server),
  ];
}

/** What a case does not cause itself: how often the kernel sent, by the kernel's count. */
export async function counted(end: End): Promise<Partial<ExpectedEnd>> {
  const info = await end.info();
  return {
    retransmits: info.total_retrans,
    txSegments: info.data_segs_out,
    rxSegments: info.data_segs_in,
  };
}
