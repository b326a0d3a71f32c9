/** Sockets that were not connected yet when the tracers started. */
import type { Case, ExpectedEnd } from "../../case.ts";
import type { Stage } from "../../stage.ts";
import { across, untilNow } from "../../window.ts";
import { finish } from "../owner/finish.ts";
import { existing } from "./existing.ts";

const MOST_SYNS = 127; // the most that the sysctl takes

/** Leaves SYNs unanswered, and makes one go out each second: other cases may come first. */
async function silence(stage: Stage): Promise<void> {
  await stage.near.sysctl("ipv4.tcp_syn_linear_timeouts", MOST_SYNS);
  await stage.near.sysctl("ipv4.tcp_syn_retries", MOST_SYNS);
  await stage.cut("far");
}

export const ATTEMPTS: Case[] = [
  existing("a bound socket that connects afterwards", async (stage) => {
    const listener = await stage.listen();
    const client = await stage.client({ bound: true });
    return async () => {
      const session = await stage.join(client, listener);
      await client.transfer(10);
      return await finish(session);
    };
  }),
  existing("a socket that is not bound connects afterwards", async (stage) => {
    const listener = await stage.listen({ family: "ipv6" });
    const client = await stage.client({ family: "ipv6" });
    return async () => await finish(await stage.join(client, listener));
  }),
  existing("a bound socket that listens afterwards", async (stage) => {
    const listener = await stage.listen();
    const worker = await stage.split(listener.actor, "truth-worker");
    return async () => await finish(await stage.join(await stage.client(), listener.in(worker)));
  }),
  existing("a SYN is on its way at the start, and answered afterwards", async (stage) => {
    const listener = await stage.listen();
    const client = await stage.client();
    await silence(stage);
    await client.startConnect(listener);
    return async (old) => {
      await stage.mend("far"); // it is sent again
      await client.finishConnect();
      const established = untilNow(stage.tracing ?? client.opened);
      const server = await listener.accept();
      client.meet(server, across(client.opened, established));
      await client.transfer(10);
      return await finish({ client, server }, {
        client: {
          ...old,
          ownerSource: "recv",
          retransmits: [1, MOST_SYNS],
          established,
          handshakeUs: undefined, // nobody saw when the SYN was sent
        },
        server: { start: established, established, handshakeUs: [1, 1_000_000] },
      });
    };
  }),
  existing("a SYN is on its way at the start, and refused afterwards", async (stage) => {
    const client = await stage.client({ bound: true });
    await silence(stage);
    await client.startConnect({ address: stage.addresses.far.ipv4, port: stage.port() });
    return async (old) => {
      await stage.mend("far");
      await client.failToFinish();
      await client.close();
      const special: Partial<ExpectedEnd> = {
        ...old,
        retransmits: [1, MOST_SYNS],
        ownerSource: ["fd_table", "close"],
      };
      return [client.ended("syn_sent", "peer", "refused", special)];
    };
  }),
  existing(
    "a SYN is on its way at the start, and refused afterwards; the socket stays open",
    async (stage) => {
      const client = await stage.client({ bound: true });
      await silence(stage);
      await client.startConnect({ address: stage.addresses.far.ipv4, port: stage.port() });
      return async (old) => {
        await stage.mend("far");
        await client.failToFinish();
        return [
          client.ended("syn_sent", "peer", "refused", { ...old, retransmits: [1, MOST_SYNS] }),
        ];
      };
    },
  ),
  existing("a SYN is on its way at the start, and given up afterwards", async (stage) => {
    const client = await stage.client({ bound: true });
    await silence(stage);
    await client.startConnect({ address: stage.addresses.far.ipv4, port: stage.port() });
    return async (old) => {
      await client.close();
      const special: Partial<ExpectedEnd> = {
        ...old,
        retransmits: [0, MOST_SYNS],
        ownerSource: ["fd_table", "close"],
      };
      return [client.ended("syn_sent", "local", "aborted", special)];
    };
  }),
];
