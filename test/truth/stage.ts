/** A case's own place: network namespaces, processes in them, and trouble on the wire. */
import { strict as assert } from "node:assert";
import { PYTHON } from "../python.ts";
import { Actor, type ActorOptions, type SocketFamily } from "../kernel/actor.ts";
import { type Addresses, Namespace } from "../kernel/host.ts";
import type { Endpoint } from "./case.ts";
import { CgroupFolder } from "./cgroup.ts";
import { End } from "./end.ts";
import { Listener } from "./listener.ts";
import type { Window } from "./window.ts";

/** Where a process lives. */
export type Side = "near" | "far";

/** Both ends of a session. */
export interface Session {
  readonly client: End;
  readonly server: End;
}

/** How to listen. All of it has a default. */
export interface ListenHow {
  readonly family?: SocketFamily;
  /** Uses the loopback interface of `near` instead of the wire. */
  readonly loopback?: boolean;
  readonly address?: string;
  readonly actor?: Actor;
  readonly comm?: string;
  readonly backlog?: number;
  readonly port?: number;
  /** SO_REUSEPORT. */
  readonly shared?: boolean;
  /** Multipath TCP (RFC 8684). */
  readonly mptcp?: boolean;
}

/** How to make a socket that connects. All of it has a default. */
export interface ClientHow {
  readonly what?: string;
  readonly family?: SocketFamily;
  readonly actor?: Actor;
  readonly comm?: string;
  readonly side?: Side;
  /** Binds the socket to a port, by which a failed attempt is recognized. */
  readonly bound?: boolean | number;
  /** Local address to bind to. */
  readonly source?: string;
  /** Local address that a bound socket has or will get; that of the wire by default. */
  readonly address?: string;
  /** Multipath TCP (RFC 8684). */
  readonly mptcp?: boolean;
  /** Local address and port by which it is recognized although it is not bound. */
  readonly local?: Endpoint;
}

/** Ports of each stage, so that no two cases share one. */
const PORTS = 24;
const FIRST_PORT = 10_000;
/** Stages that have room below the ports that the kernel gives to clients. */
const STAGES = 900;
/** Makes it unlikely that two runs on one machine have the same addresses and ports. */
const RUN = (crypto.getRandomValues(new Uint16Array(1))[0] ?? 0) % STAGES;

/** Two namespaces, `near` and `far`, connected by a wire. Disposing removes everything. */
export class Stage implements AsyncDisposable {
  /** When the tracers were started; known only in `act`. */
  tracing: Window | undefined;
  readonly #resources: AsyncDisposableStack;
  readonly #actors: Actor[] = [];
  readonly #sessions: Session[] = [];
  readonly #firstPort: number;
  #ports = 0;
  #sockets = 0;

  private constructor(
    readonly near: Namespace,
    readonly far: Namespace,
    index: number,
    resources: AsyncDisposableStack,
  ) {
    this.#firstPort = FIRST_PORT + (RUN + index) % STAGES * PORTS;
    this.#resources = resources;
    this.netns = [near.inode, far.inode];
  }

  /** Inodes of the namespaces. Apart from that of the tests, no other case has them. */
  readonly netns: number[];

  /** @param index of the case: it makes its addresses and ports unique */
  static async open(index: number): Promise<Stage> {
    await using resources = new AsyncDisposableStack();
    const near = resources.use(await Namespace.alone());
    const far = resources.use(
      await Namespace.make({ joinedTo: near, network: (RUN + index) % STAGES + 1 }),
    );
    await near.configure("link set lo up", "address add fe80::1/64 dev eth0 nodad");
    await far.configure("link set lo up", "address add fe80::2/64 dev eth0 nodad");
    return new Stage(near, far, index, resources.move());
  }

  /** Addresses of the wire. */
  get addresses(): Readonly<Record<Side, Addresses>> {
    return { near: this.far.here, far: this.far.there };
  }

  /** A port for this case only, below those that the kernel gives to clients. */
  port(): number {
    assert.ok(this.#ports < PORTS, "a case has no more ports: raise PORTS");
    return this.#firstPort + this.#ports++;
  }

  /** Whether `port()` has returned it, or may. */
  ownsPort(port: number): boolean {
    return port >= this.#firstPort && port < this.#firstPort + PORTS;
  }

  /** Whether it can be an end of this case: others may reuse the inode of a deleted namespace. */
  ownsAddress(address: unknown): boolean {
    const { near, far } = this.addresses;
    const own = [near.ipv4, near.ipv6, far.ipv4, far.ipv6];
    return typeof address === "string" &&
      (own.includes(address) ||
        /^(127\.|192\.0\.2\.|::1?$|::ffff:|0\.0\.0\.0$|fe80:)/.test(address));
  }

  /** Another namespace, isolated or connected to the tests'; processes enter it by `under`. */
  async namespace(joined: "alone" | "to the tests"): Promise<Namespace> {
    const made = joined === "alone" ? Namespace.alone() : Namespace.make();
    const namespace = this.#resources.use(await made);
    await namespace.ip("link", "set", "lo", "up");
    this.netns.push(namespace.inode);
    return namespace;
  }

  /** A cgroup at a path below the root of a hierarchy: v2 by default. @returns the folder */
  cgroup(path: string, hierarchy?: string): string {
    return this.#resources.use(new CgroupFolder(path, hierarchy)).path;
  }

  /** Starts a process. */
  async actor(side: Side, options: ActorOptions = {}): Promise<Actor> {
    const { under = [] } = options;
    const actor = await Actor.start({ ...options, under: [...this[side].under, ...under] });
    this.#actors.push(actor);
    return actor;
  }

  /** Makes a process split off a child with copies of all its sockets. */
  async split(parent: Actor, comm?: string): Promise<Actor> {
    const child = await parent.split(comm);
    this.#actors.push(child);
    return child;
  }

  /** A copy of Python, for a process to run. @param name of the executable */
  async program(name: string): Promise<string> {
    const folder = await Deno.makeTempDir({ prefix: "tcpspan-truth-" });
    this.#resources.defer(() => Deno.remove(folder, { recursive: true }));
    const path = `${folder}/${name}`;
    await Deno.copyFile(await Deno.realPath(PYTHON[0]), path);
    return path;
  }

  async listen(how: ListenHow = {}): Promise<Listener> {
    const { family = "ipv4", loopback = false, comm = "truth-server", backlog = 128 } = how;
    const address = how.address ?? this.#address(family, loopback);
    const actor = how.actor ?? await this.actor(loopback ? "near" : "far", { comm });
    const socket = `s${++this.#sockets}`;
    const port = await actor.listen(socket, family, address, {
      backlog,
      port: how.port ?? this.port(),
      reuse_port: how.shared ?? false,
      mptcp: how.mptcp ?? false,
    });
    return new Listener(actor, family, address, port, socket);
  }

  /** A socket that is not connected yet. */
  async client(how: ClientHow = {}): Promise<End> {
    const { family = "ipv4", comm = "truth-client", side = "near", bound = false } = how;
    const actor = how.actor ?? await this.actor(side, { comm });
    const socket = `s${++this.#sockets}`;
    const port = bound === true ? this.port() : bound === false ? 0 : bound;
    const { cookie } = await actor.prepare(socket, {
      family,
      mptcp: how.mptcp ?? false,
      ...(port === 0 ? {} : { source_port: port }),
      ...(how.source === undefined ? {} : { source: how.source }),
    });
    const address = how.address ?? this.addresses[side][family === "ipv6" ? "ipv6" : "ipv4"];
    return new End({
      what: how.what ?? "client",
      role: "client",
      family,
      actor,
      socket,
      cookie,
      ...(port === 0 ? {} : { local: { address, port } }),
      ...(how.local === undefined ? {} : { local: how.local }),
    });
  }

  /** A session, ready to be used. */
  async connect(how: ListenHow & ClientHow = {}): Promise<Session> {
    const { actor: _, comm: __, ...both } = how;
    const listener = await this.listen(both);
    const client = await this.client(both);
    return await this.join(client, listener);
  }

  /** Connects a client to a listener. @param address if the listener is on all addresses */
  async join(client: End, listener: Listener, address?: string): Promise<Session> {
    const session = { client, server: await client.connect(listener, address) };
    this.#sessions.push(session);
    return session;
  }

  /** A session that `before` made with `connect()` or `join()`. */
  session(index = 0): Session {
    const session = this.#sessions[index];
    assert.ok(session !== undefined, `there is no session ${index}`);
    return session;
  }

  /** From now on TCP packets over the wire are lost on arrival. */
  async cut(...sides: readonly Side[]): Promise<void> {
    await this.#lose("", sides);
  }

  /** From now on one in `oneOf` of the TCP packets over the wire is lost, at random. */
  async thin(oneOf: number, ...sides: readonly Side[]): Promise<void> {
    await this.#lose(`numgen random mod ${oneOf} 0`, sides);
  }

  async #lose(which: string, sides: readonly Side[]): Promise<void> {
    await Promise.all(
      (sides.length === 0 ? ["near", "far"] as const : sides).map((side) =>
        this[side].run(
          "nft",
          "add table inet cut; add chain inet cut in { type filter hook input priority 0; }; " +
            `add rule inet cut in iifname "eth0" meta l4proto tcp ${which} counter drop`,
        )
      ),
    );
  }

  /** How many TCP packets were lost on a side since `cut()` or `thin()`. */
  async lost(side: Side): Promise<number> {
    const rules = await this[side].run("nft", "list", "table", "inet", "cut");
    return Number(/packets (\d+)/.exec(rules)?.[1] ?? 0);
  }

  /** How many segments were sent again, on both sides: pauses of the machine cause some. */
  async sentAgain(): Promise<number> {
    const counts = await Promise.all((["near", "far"] as const).map(async (side) => {
      // TcpRetransSegs; 0 if the namespace or its name is gone
      const table = await this[side].run("nstat", "-az", "TcpRetransSegs").catch(() => "");
      return Number(/TcpRetransSegs\s+(\d+)/.exec(table)?.[1] ?? 0);
    }));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Undoes `cut()` and `thin()`, or the rejects of `reject()`. */
  async mend(...sides: readonly Side[]): Promise<void> {
    await Promise.all(
      (sides.length === 0 ? ["near", "far"] as const : sides).map((side) =>
        this[side].run("nft", "delete table inet cut")
      ),
    );
  }

  /** `far` answers what comes over the wire with an ICMP error, such as `net-unreachable`. */
  async reject(icmpType: string): Promise<void> {
    await this.far.run(
      "nft",
      "add table inet cut; add chain inet cut in { type filter hook input priority 0; }; " +
        `add rule inet cut in iifname "eth0" meta l4proto tcp reject with icmp type ${icmpType}`,
    );
  }

  /** IPv4 packets to the other side wait from now on, until `release()` of the same side. */
  async hold(...sides: readonly Side[]): Promise<void> {
    for (const side of ["near", "far"] as const) {
      // nobody answers ARP for the interface, so that packets wait
      await this[side].sysctl("ipv4.conf.all.arp_ignore", 8);
    }
    for (const side of sides) {
      const { ipv4 } = this.addresses[other(side)];
      const entry = [ipv4, "dev", "eth0"];
      await this[side].ip("neighbour", "replace", ...entry, "lladdr", await this.#mac(other(side)));
      await this[side].ip("neighbour", "del", ...entry);
    }
  }

  /** Releases the packets that wait on a side, in order. */
  async release(side: Side): Promise<void> {
    const { ipv4 } = this.addresses[other(side)];
    const mac = await this.#mac(other(side));
    const entry = [ipv4, "dev", "eth0", "lladdr", mac, "nud", "permanent"];
    await this[side].ip("neighbour", "replace", ...entry);
  }

  /** Makes nobody answer for the neighbour any more; the kernel notices in about 100 ms. */
  async loseNeighbour(side: Side): Promise<void> {
    await this[side].sysctl("ipv4.neigh.eth0.retrans_time_ms", 30);
    await this[side].sysctl("ipv4.neigh.eth0.mcast_solicit", 2);
    await this.hold(side);
  }

  /** Ends the wire between the sides, if there is one. */
  async endWire(): Promise<void> {
    await this.far.ip("link", "del", "eth0").catch(() => {}); // the case may have done it
  }

  /** Ends the processes. */
  async endActors(): Promise<void> {
    await Promise.all(this.#actors.splice(0).map((actor) => actor[Symbol.asyncDispose]()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endActors();
    await this.#resources.disposeAsync();
  }

  #address(family: SocketFamily, loopback: boolean): string {
    const version = family === "ipv6" ? "ipv6" : "ipv4";
    if (!loopback) return this.addresses.far[version];
    return version === "ipv6" ? "::1" : "127.0.0.1";
  }

  async #mac(side: Side): Promise<string> {
    const mac = /link\/ether ([\da-f:]+)/.exec(await this[side].ip("link", "show", "eth0"))?.[1];
    assert.ok(mac !== undefined, `${side} has no eth0`);
    return mac;
  }
}

function other(side: Side): Side {
  return side === "near" ? "far" : "near";
}

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
