/** Link-local addresses: the zone is a name if the tracer can ask for it, else a number. */
import { strict as assert } from "node:assert";
import type { Case } from "../../case.ts";
import { run } from "../../../kernel/host.ts";
import { talk } from "./talk.ts";

const OWN = ["nsenter", `--net=/proc/${Deno.pid}/ns/net`]; // the tests' and the tracer's

export const ZONES: Case[] = [
  {
    name: "link-local addresses over the wire",
    section: "places",
    act: async (stage) => {
      const listener = await stage.listen({ family: "ipv6", address: "::" });
      const client = await stage.client({ family: "ipv6" });
      return talk(await stage.join(client, listener, "fe80::2%eth0"));
    },
  },
  {
    name: "link-local addresses within a host",
    section: "places",
    act: async (stage) => {
      const listener = await stage.listen({ family: "ipv6", address: "::", loopback: true });
      const client = await stage.client({ family: "ipv6" });
      return talk(await stage.join(client, listener, "fe80::1%eth0"));
    },
  },
  {
    name: "a global address to a link-local one",
    section: "places",
    act: async (stage) => {
      const listener = await stage.listen({ family: "ipv6", address: "::" });
      const source = stage.addresses.near.ipv6;
      const client = await stage.client({ family: "ipv6", source });
      return talk(await stage.join(client, listener, "fe80::2%eth0"));
    },
  },
  {
    name: "the peer refuses at a link-local address",
    section: "places",
    act: async (stage) => {
      const index = (await stage.near.ip("link", "show", "eth0")).split(":")[0];
      const client = await stage.client({
        family: "ipv6",
        bound: true,
        address: `fe80::1%${index}`,
      });
      const port = stage.port();
      await client.failToConnect({ address: "fe80::2%eth0", port });
      const peer = { address: `fe80::2%${index}`, port };
      return [client.ended("syn_sent", "peer", "refused", { peer })];
    },
  },
  {
    name: "link-local addresses, the client in the tracer's own namespace",
    section: "places",
    act: async (stage) => {
      const there = await stage.namespace("to the tests");
      const far = await stage.actor("far", { comm: "truth-server", under: there.under });
      await there.ip("address", "add", "fe80::2/64", "dev", "eth0", "nodad");
      await run("ip", "address", "add", "fe80::1/64", "dev", there.name, "nodad");
      const near = await stage.actor("near", { comm: "truth-client", under: OWN });
      const listener = await stage.listen({ family: "ipv6", address: "::", actor: far });
      const client = await stage.client({ family: "ipv6", actor: near });
      const session = await stage.join(client, listener, `fe80::2%${there.name}`);
      assert.ok(client.local.address.endsWith(`%${there.name}`));
      stage.netns.push(near.process.netns);
      return talk(session);
    },
  },
  {
    name: "link-local addresses, the server in the tracer's own namespace",
    section: "places",
    act: async (stage) => {
      const there = await stage.namespace("to the tests");
      await there.ip("address", "add", "fe80::2/64", "dev", "eth0", "nodad");
      await run("ip", "address", "add", "fe80::1/64", "dev", there.name, "nodad");
      const near = await stage.actor("near", { comm: "truth-server", under: OWN });
      const far = await stage.actor("far", { comm: "truth-client", under: there.under });
      const listener = await stage.listen({ family: "ipv6", address: "::", actor: near });
      const client = await stage.client({ family: "ipv6", actor: far });
      const session = await stage.join(client, listener, "fe80::1%eth0");
      stage.netns.push(near.process.netns);
      return talk(session);
    },
  },
  {
    name: "a socket bound to a device: global addresses have no zone",
    section: "places",
    act: async (stage) => {
      const listener = await stage.listen({ family: "ipv6" });
      const client = await stage.client({ family: "ipv6" });
      await client.setOption("BINDTODEVICE", "eth0");
      return talk(await stage.join(client, listener));
    },
  },
  {
    name: "a socket bound to a device, over IPv4",
    section: "places",
    act: async (stage) => {
      const listener = await stage.listen();
      const client = await stage.client();
      await client.setOption("BINDTODEVICE", "eth0");
      return talk(await stage.join(client, listener));
    },
  },
  {
    name: "a socket bound to a VRF",
    section: "places",
    impossible: "this kernel has no VRF: CONFIG_NET_VRF is not set",
  },
];
