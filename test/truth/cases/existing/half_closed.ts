/** Sessions that one end had closed when the tracers started. */
import type { Case, ExpectedEnd } from "../../case.ts";
import { pause, type Session } from "../../stage.ts";
import { untilNow } from "../../window.ts";
import { existing } from "./existing.ts";

export const HALF_CLOSED: Case[] = [
  existing("half-closed by the client before the start, then by the server", async (stage) => {
    const { client, server } = await stage.connect();
    await client.transfer(10);
    await client.shutdown();
    await client.untilAcknowledged();
    return async (old) => {
      await server.transfer(500);
      await server.close();
      await client.receiveFin();
      await client.close();
      return halfClosed({ client, server }, { ...old, ownerSource: "recv" });
    };
  }),
  existing(
    "half-closed by the client before the start, idle, then by the server",
    async (stage) => {
      const { client, server } = await stage.connect({ family: "ipv6" });
      await client.shutdown();
      await client.untilAcknowledged();
      return async (old) => {
        await server.close();
        await client.receiveFin();
        await client.close();
        return halfClosed({ client, server }, old, { ownerSource: "close" });
      };
    },
  ),
  existing(
    "half-closed by the client before the start, then reset by the server",
    async (stage) => {
      const { client, server } = await stage.connect();
      await client.shutdown();
      await client.untilAcknowledged();
      return async (old) => {
        await server.abort();
        await client.receiveError();
        await client.close();
        return [
          client.ended("fin_wait2", "local", "reset", {
            ...old,
            events: [{ name: "tcpspan.reset.received", within: server.closed }],
          }),
          server.ended("close_wait", "peer", "aborted", { ...old, events: [] }),
        ];
      };
    },
  ),
  existing(
    "the client has closed before the start, and the server closes afterwards",
    async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await client.close();
      await server.receiveFin();
      await pause(100); // until the FIN is acknowledged, and the client's socket gone
      return async (old) => {
        await server.close();
        return [
          server.ended("last_ack", "peer", "fin", {
            ...old,
            ownerSource: "close",
            parent: "unseen",
            events: [{ name: "tcpspan.fin.sent", within: server.finSent }],
          }),
        ];
      };
    },
  ),
  existing(
    "the client has closed before the start, and its FIN arrives afterwards",
    async (stage) => {
      const { client, server } = await stage.connect();
      await client.transfer(10);
      await stage.cut("far");
      await client.close();
      return async (old) => {
        await stage.mend("far"); // the FIN is sent again
        await server.receiveFin();
        await server.close();
        await pause(50);
        const end = untilNow(stage.tracing ?? client.closed);
        return [
          // no process has a descriptor of it
          client.ended("fin_wait2", "local", "fin", {
            ...old,
            owner: "none",
            ownerSource: "unknown",
            end,
            retransmits: [1, 20],
            events: [{ name: "tcpspan.fin.received", within: end, optional: true }],
          }),
          server.ended("last_ack", "peer", "fin", {
            ...old,
            ownerSource: "close",
            events: [
              { name: "tcpspan.fin.received", within: end },
              { name: "tcpspan.fin.sent", within: server.finSent },
            ],
          }),
        ];
      };
    },
  ),
];

/** Nobody knows when the client sent its FIN. */
function halfClosed(
  { client, server }: Session,
  old: Partial<ExpectedEnd>,
  ofServer: Partial<ExpectedEnd> = {},
): ExpectedEnd[] {
  return [
    client.ended("fin_wait2", "local", "fin", {
      ...old,
      events: [{ name: "tcpspan.fin.received", within: server.finSent, optional: true }],
    }),
    server.ended("last_ack", "peer", "fin", {
      ...old,
      ...ofServer,
      events: [{ name: "tcpspan.fin.sent", within: server.finSent }],
    }),
  ];
}
