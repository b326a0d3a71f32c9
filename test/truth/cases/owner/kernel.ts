/** What the kernel opens by itself. */
import type { Case, Endpoint, ExpectedEnd } from "../../case.ts";
import { End } from "../../end.ts";
import { pause, type Stage } from "../../stage.ts";
import { untilNow } from "../../window.ts";

/** A second address of the client's host, from a documentation network (RFC 5737). */
const SECOND = "192.0.2.1";

export const KERNEL: Case[] = [
  {
    name: "a kernel worker opens a second subflow of Multipath TCP",
    section: "owner",
    act: async (stage) => {
      await allowSecond(stage);
      const listener = await stage.listen({ mptcp: true });
      const client = await stage.client({ mptcp: true });
      const server = await client.connect(listener);
      await client.transfer(100);
      const local = await joiner(stage);
      const opened = untilNow(client.opened);
      const { actor } = client;
      const family = "ipv4";
      const join = new End({
        ...{ what: "second client", role: "client", family, actor, socket: "none", local },
        peer: listener,
      });
      const joined = new End({
        ...{ what: "second server", role: "server", family, actor: server.actor, socket: "none" },
        local: listener,
        peer: local,
      });
      join.establishedWithin(opened);
      join.meet(joined, opened);
      await client.close();
      await server.receiveFin();
      await server.close();
      await pause(100); // workers close the subflows
      const end = untilNow(client.closed);
      for (const one of [client, server, join, joined]) one.closedWithin(end, true);
      // the process's socket is not that of the subflows
      const first: Partial<ExpectedEnd> = { end, cookie: undefined, mptcp: "first" };
      const second: Partial<ExpectedEnd> = { ...first, mptcp: "joined" };
      return [
        client.ended("fin_wait2", "local", "fin", first),
        server.ended("last_ack", "peer", "fin", first),
        join.ended("fin_wait2", "local", "fin", { ...second, ownerSource: "connect" }),
        joined.ended("last_ack", "peer", "fin", {
          ...second,
          ownerSource: "recv",
          handshakeUs: undefined,
        }),
      ];
    },
  },
];

/** Makes the kernel join, from a second address, what `near` opens. */
async function allowSecond({ near, far }: Stage): Promise<void> {
  await near.ip("address", "add", `${SECOND}/32`, "dev", "eth0");
  await far.ip("route", "add", SECOND, "dev", "eth0");
  for (const side of [near, far]) await side.ip("mptcp", "limits", "set", "subflow", "2");
  await near.ip("mptcp", "endpoint", "add", SECOND, "dev", "eth0", "subflow");
}

/** Waits until the kernel has joined. */
async function joiner({ near }: Stage): Promise<Endpoint> {
  for (;;) {
    const found = await near.run("ss", "-tnH", "state", "established", "src", SECOND);
    const port = /192\.0\.2\.1(?:%\w+)?:(\d+)/.exec(found)?.[1];
    if (port !== undefined) return { address: SECOND, port: Number(port) };
  }
}
