/** A client and a server on two hosts, which do what the test says. */
import { Actor, type EndTruth } from "../kernel/actor.ts";
import type { Machine } from "./machine.ts";
import type { Destination, TwoHosts } from "./two_hosts.ts";

/** The family of a session's addresses. */
export type Family = "ipv4" | "ipv6";

/** What both ends of a session know about themselves. */
export interface Ends {
  readonly client: EndTruth;
  readonly server: EndTruth;
}

/** Settings of a tracer for spans with the names of `startService`. */
export const NAMED_BY_ENVIRONMENT = { from_process_env: true };

/** Starts a process that tcpspan names `service`. */
export async function startService(machine: Machine, service: string): Promise<Actor> {
  const under = [...machine.inside, "env", `OTEL_SERVICE_NAME=${service}`];
  return await Actor.start({ comm: service, under });
}

/** The service `shop` on the client's host, and `stock` on the server's, which listens for both. */
export class Services implements AsyncDisposable {
  readonly #resources: AsyncDisposableStack;

  private constructor(
    resources: AsyncDisposableStack,
    readonly shop: Actor,
    readonly stock: Actor,
    /** On which `stock` listens, in both families. */
    readonly port: number,
  ) {
    this.#resources = resources;
  }

  static async start(hosts: TwoHosts): Promise<Services> {
    await using resources = new AsyncDisposableStack();
    const shop = resources.use(await startService(hosts.client, "shop"));
    const stock = resources.use(await startService(hosts.server, "stock"));
    const port = await stock.listen("ipv4", "ipv4", "0.0.0.0");
    await stock.listen("ipv6", "ipv6", "::", { port });
    return new Services(resources.move(), shop, stock, port);
  }

  /** A session with 100 bytes to the server and 200 back, which the client closes. */
  async talk(to: Destination, family: Family = "ipv4"): Promise<Ends> {
    const ends = await this.#open(to, family);
    await this.shop.close("s");
    await this.stock.receiveFin("s");
    await this.stock.close("s");
    return ends;
  }

  /** A session that one of the two resets. */
  async breakOff(to: Destination, by: "shop" | "stock"): Promise<Ends> {
    const ends = await this.#open(to, "ipv4");
    const other = by === "shop" ? this.stock : this.shop;
    await this[by].abort("s");
    await other.receiveError("s");
    await other.close("s");
    return ends;
  }

  /** A port of the server's host that refuses connections. */
  refusingPort(): Promise<number> {
    return this.stock.reservePort("ipv4", "0.0.0.0");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }

  async #open({ addresses, port }: Destination, family: Family): Promise<Ends> {
    const { shop, stock } = this;
    const [client, server] = await Promise.all([
      shop.connect("s", { family, address: addresses[family], port }),
      stock.accept(family, "s"),
    ]);
    await Promise.all([shop.send("s", 100), stock.receive("s", 100)]);
    await Promise.all([stock.send("s", 200), shop.receive("s", 200)]);
    return { client, server };
  }
}
