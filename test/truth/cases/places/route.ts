/** Sessions through a third network namespace, and with addresses that change on the way. */
import type { Namespace } from "../../../kernel/host.ts";
import type { Case } from "../../case.ts";
import type { Stage } from "../../stage.ts";
import { talk } from "./talk.ts";

export const ROUTES: Case[] = [
  {
    name: "a router between two networks",
    section: "places",
    act: async (stage) => {
      await routed(stage);
      const listener = await stage.listen({ address: "192.0.2.130" });
      return talk(await stage.join(await stage.client(), listener));
    },
  },
  {
    name: "a router that hides the client behind its own address",
    section: "places",
    known: {
      fields: ["parent_span_id"],
      why: "the peer is the router, of which `auto` cannot know that it stands for this host",
    },
    act: async (stage) => {
      const router = await routed(stage);
      await router.run(
        "nft",
        "add table ip nat; add chain ip nat out { type nat hook postrouting priority 100; }; " +
          'add rule ip nat out oifname "far" masquerade',
      );
      const listener = await stage.listen({ address: "192.0.2.130" });
      return talk(await stage.join(await stage.client(), listener));
    },
  },
  {
    name: "an address of a service, which stands for the server's",
    section: "places",
    act: async (stage) => {
      const { ipv4 } = stage.addresses.far;
      await stage.near.ip("route", "add", "192.0.2.200/32", "via", ipv4);
      await stage.near.run(
        "nft",
        "add table ip nat; add chain ip nat out { type nat hook output priority -100; }; " +
          `add rule ip nat out ip daddr 192.0.2.200 dnat to ${ipv4}`,
      );
      const listener = await stage.listen();
      return talk(await stage.join(await stage.client(), listener, "192.0.2.200"));
    },
  },
  {
    name: "a bridge between two namespaces",
    section: "places",
    act: async (stage) => {
      const bridge = await stage.namespace("alone");
      await bridge.ip("link", "add", "bridge", "type", "bridge");
      await bridge.ip("link", "set", "bridge", "up");
      for (const side of ["near", "far"] as const) {
        await connectTo(bridge, side, stage[side], `192.0.2.${side === "near" ? 1 : 2}/24`);
        await bridge.ip("link", "set", side, "master", "bridge");
      }
      const listener = await stage.listen({ address: "192.0.2.2" });
      return talk(await stage.join(await stage.client(), listener));
    },
  },
];

/** A router between `near` (192.0.2.2) and `far` (192.0.2.130). */
async function routed(stage: Stage): Promise<Namespace> {
  const router = await stage.namespace("alone");
  for (const [side, network] of [["near", 0], ["far", 128]] as const) {
    await connectTo(router, side, stage[side], `192.0.2.${network + 2}/25`);
    await router.ip("address", "add", `192.0.2.${network + 1}/25`, "dev", side);
    const other = `192.0.2.${128 - network}/25`;
    await stage[side].ip("route", "add", other, "via", `192.0.2.${network + 1}`);
  }
  await router.sysctl("ipv4.ip_forward", 1);
  return router;
}

/** A wire from `device` in `middle` to a new interface of `namespace`. */
async function connectTo(
  middle: Namespace,
  device: string,
  namespace: Namespace,
  address: string,
): Promise<void> {
  const pair = ["type", "veth", "peer", "name", "eth1", "netns", namespace.name];
  await middle.ip("link", "add", device, ...pair);
  await middle.ip("link", "set", device, "up");
  await namespace.ip("address", "add", address, "dev", "eth1");
  await namespace.ip("link", "set", "eth1", "up");
}
