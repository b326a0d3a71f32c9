/** Address families, also two in one socket. */
import type { Case } from "../../case.ts";
import { talk } from "./talk.ts";

export const FAMILIES: Case[] = [
  {
    name: "IPv6 over the wire",
    section: "places",
    act: async (stage) => talk(await stage.connect({ family: "ipv6" })),
  },
  {
    name: "IPv6 over loopback",
    section: "places",
    act: async (stage) => talk(await stage.connect({ family: "ipv6", loopback: true })),
  },
  {
    name: "an IPv4 client of a dual-stack listener",
    section: "places",
    act: async (stage) => {
      const listener = await stage.listen({ family: "dual", address: "::" });
      const client = await stage.client();
      return talk(await stage.join(client, listener, stage.addresses.far.ipv4));
    },
  },
  {
    name: "a dual-stack client of an IPv4 listener",
    section: "places",
    act: async (stage) => {
      const listener = await stage.listen();
      const client = await stage.client({ family: "dual" });
      return talk(await stage.join(client, listener, `::ffff:${listener.address}`));
    },
  },
  {
    name: "a dual-stack client of a dual-stack listener, by IPv4 over loopback",
    section: "places",
    act: async (stage) => {
      const listener = await stage.listen({ family: "dual", address: "::", loopback: true });
      const client = await stage.client({ family: "dual" });
      return talk(await stage.join(client, listener, "::ffff:127.0.0.1"));
    },
  },
  {
    name: "an IPv6 client of a dual-stack listener",
    section: "places",
    act: async (stage) => {
      const listener = await stage.listen({ family: "dual", address: "::" });
      const client = await stage.client({ family: "ipv6" });
      return talk(await stage.join(client, listener, stage.addresses.far.ipv6));
    },
  },
  {
    name: "the peer refuses a dual-stack client, by IPv4",
    section: "places",
    act: async (stage) => {
      const client = await stage.client({
        family: "dual",
        bound: true,
        address: stage.addresses.near.ipv4,
      });
      const target = { address: stage.addresses.far.ipv4, port: stage.port() };
      await client.failToConnect({ ...target, address: `::ffff:${target.address}` });
      return [client.ended("syn_sent", "peer", "refused", { peer: target, family: "ipv4" })];
    },
  },
  {
    name: "other addresses of the loopback network",
    section: "places",
    act: async (stage) => {
      const listener = await stage.listen({ loopback: true, address: "127.1.2.3" });
      const client = await stage.client({ source: "127.4.5.6" });
      return talk(await stage.join(client, listener));
    },
  },
  {
    name: "the host's own address instead of loopback's",
    section: "places",
    act: async (stage) => {
      const { ipv4 } = stage.addresses.near;
      return talk(await stage.connect({ loopback: true, address: ipv4 }));
    },
  },
];
