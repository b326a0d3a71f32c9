/** A client's host and a server's, with a router in between that can translate addresses. */
import { run } from "../kernel/host.ts";
import { Machine } from "./machine.ts";

/** One address of each family. */
export interface Addresses {
  readonly ipv4: string;
  readonly ipv6: string;
}

/** Where a client must connect to. */
export interface Destination {
  readonly addresses: Addresses;
  readonly port: number;
}

/**
 * Addresses of all interfaces, from the benchmark network (RFC 2544) and a local one (RFC 4193),
 * because the host of the tests must have none of them.
 */
export const ADDRESSES = {
  client: { ipv4: "198.19.1.2", ipv6: "fd74:6370:1001::2" },
  /** The router's, on the client's side. */
  outside: { ipv4: "198.19.1.1", ipv6: "fd74:6370:1001::1" },
  /** The router's, on the server's side. */
  inside: { ipv4: "198.19.2.1", ipv6: "fd74:6370:1002::1" },
  server: { ipv4: "198.19.2.2", ipv6: "fd74:6370:1002::2" },
} as const satisfies Record<string, Addresses>;

/** Below the ports that the kernel gives to clients, so that no client has one of them. */
const MASQUERADED_PORTS = { first: 20_000, last: 20_999 };
const FORWARDED_PORTS = { first: 10_000, last: 19_999 };

/** Three machines. They share only their two links, and reach nothing else. */
export class TwoHosts implements AsyncDisposable {
  readonly #resources: AsyncDisposableStack;

  private constructor(
    resources: AsyncDisposableStack,
    readonly client: Machine,
    readonly router: Machine,
    readonly server: Machine,
  ) {
    this.#resources = resources;
  }

  static async start(): Promise<TwoHosts> {
    await using resources = new AsyncDisposableStack();
    const start = async (name: string) => resources.use(await Machine.start(name));
    const [client, router, server] = await Promise.all([
      start("client-host"),
      start("router"),
      start("server-host"),
    ]);
    await link(client, router);
    await link(server, router);
    await configure(client, router.name, ADDRESSES.client);
    await configure(router, client.name, ADDRESSES.outside);
    await configure(router, server.name, ADDRESSES.inside);
    await configure(server, router.name, ADDRESSES.server);
    await routeBy(client, ADDRESSES.outside);
    await routeBy(server, ADDRESSES.inside);
    const forwarding = ["ipv4/ip_forward", "ipv6/conf/all/forwarding"]
      .map((file) => `echo 1 >/proc/sys/net/${file}`);
    await router.run("sh", "-c", forwarding.join(" && "));
    return new TwoHosts(resources.move(), client, router, server);
  }

  /** The router hides the client: the server sees the router's address, and a port of its choice. */
  async masquerade(): Promise<void> {
    const { first, last } = MASQUERADED_PORTS;
    await translate(
      this.router,
      "postrouting",
      `oifname "${this.server.name}" meta l4proto tcp masquerade to :${first}-${last}`,
    );
  }

  /** The server listens on another port than clients connect to. */
  async redirect(port: number): Promise<Destination> {
    const known = forwardedPort();
    await translate(this.server, "prerouting", `tcp dport ${known} redirect to :${port}`);
    return { addresses: ADDRESSES.server, port: known };
  }

  /** The router forwards a port to the server (DNAT), as load balancers do. */
  async forward(port: number): Promise<Destination> {
    const known = forwardedPort();
    const { outside, server } = ADDRESSES;
    await translate(
      this.router,
      "prerouting",
      `ip daddr ${outside.ipv4} tcp dport ${known} dnat ip to ${server.ipv4}:${port}`,
      `ip6 daddr ${outside.ipv6} tcp dport ${known} dnat ip6 to [${server.ipv6}]:${port}`,
    );
    return { addresses: outside, port: known };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

/** A random port: on the test's own machines nobody else has one of these. */
function forwardedPort(): number {
  const { first, last } = FORWARDED_PORTS;
  return first + Math.floor(Math.random() * (last - first + 1));
}

/** Makes a machine translate addresses. @param rules lines of nftables for both families */
async function translate(
  machine: Machine,
  hook: "prerouting" | "postrouting",
  ...rules: readonly string[]
): Promise<void> {
  const priority = hook === "prerouting" ? "dstnat" : "srcnat";
  const chain = ["chain nat {", `type nat hook ${hook} priority ${priority};`, ...rules, "}"];
  await machine.run("nft", [`table inet ${hook} {`, ...chain, "}"].join("\n"));
}

/** Connects two machines by a pair of interfaces, each named after the other machine. */
async function link(a: Machine, b: Machine): Promise<void> {
  await run(
    ...["ip", "link", "add", b.name, "netns", `${a.pid}`, "type", "veth"] as const,
    ...["peer", "name", a.name, "netns", `${b.pid}`] as const,
  );
}

async function configure(machine: Machine, device: string, at: Addresses): Promise<void> {
  await machine.run("ip", "address", "add", `${at.ipv4}/24`, "dev", device);
  await machine.run("ip", "address", "add", `${at.ipv6}/64`, "dev", device);
  await machine.run("ip", "link", "set", device, "up");
}

async function routeBy(host: Machine, router: Addresses): Promise<void> {
  await host.run("ip", "route", "add", "default", "via", router.ipv4);
  await host.run("ip", "route", "add", "default", "via", router.ipv6);
}
