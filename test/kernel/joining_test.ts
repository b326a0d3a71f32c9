/** A client on this host is known before its end is reported, wherever it is. */
import { strict as assert } from "node:assert";
import type { CaptureOptions } from "../../src/capture/capture_options.ts";
import type { Session } from "../../src/session/session.ts";
import { FLAG } from "../../src/session/record_layout.ts";
import { ParentRule } from "../../src/span/parent.ts";
import { TextLineStream } from "../lines.ts";
import { PYTHON } from "../python.ts";
import { Actor } from "./actor.ts";
import { Trace } from "./harness.ts";
import { Namespace } from "./host.ts";

const PROGRAM = new URL("../programs/placed_client.py", import.meta.url).pathname;

/** What a client is like; RFC 5737 and RFC 3849 have the addresses. */
interface Place {
  readonly name: string;
  /** As placed_client.py takes it. */
  readonly how: "process" | "thread" | "socket" | "transparent" | "fast_open";
  readonly family: "ipv4" | "ipv6";
  readonly source?: string;
  /** Whether the namespace loses its name once the client is in it. */
  readonly nameless?: true;
  /** Whether the server answers with SYN cookies alone. */
  readonly cookie?: true;
}

const PLACES: readonly Place[] = [
  { name: "is a process in another namespace", how: "process", family: "ipv4" },
  { name: "is a process in another namespace", how: "process", family: "ipv6" },
  { name: "is a thread in another namespace", how: "thread", family: "ipv4" },
  { name: "is in a namespace without a process", how: "socket", family: "ipv4" },
  { name: "is in a namespace without a process", how: "socket", family: "ipv6" },
  { name: "is in one without a name either", how: "socket", family: "ipv4", nameless: true },
  { name: "has an AnyIP address", how: "process", family: "ipv4", source: "198.51.100.56" },
  { name: "has an AnyIP address", how: "process", family: "ipv6", source: "2001:db8:79::56" },
  {
    name: "is a transparent proxy",
    how: "transparent",
    family: "ipv4",
    source: "203.0.113.7",
  },
  {
    name: "is a transparent proxy",
    how: "transparent",
    family: "ipv6",
    source: "2001:db8:80::7",
  },
  { name: "uses TCP Fast Open", how: "fast_open", family: "ipv4" },
  { name: "gets a SYN cookie", how: "process", family: "ipv4", cookie: true },
];

for (const place of PLACES) {
  const { name, family } = place;
  Deno.test(`${family}: a server that closes first has a parent if the client ${name}`, async () => {
    await using network = await Network.make();
    await using trace = await Trace.start();
    const end = await network.serve(trace, place);
    assert.ok(end.has(FLAG.CLIENT_HERE)); // which does not depend on its address
    assert.ok(new ParentRule({ parent: "auto", peers: [] }).hasParent(end));
  });
}

const LEFT_OUT: readonly [what: string, options: (network: Network) => CaptureOptions][] = [
  ["ports", ({ port }) => ({ localPorts: [port] })],
  ["process", ({ server }) => ({ pids: [server.process.pid] })],
  ["networks", ({ addresses }) => ({ excludeCidrs: [addresses.ipv4] })],
];

for (const [what, options] of LEFT_OUT) {
  Deno.test(`a client that is left out because of its ${what} is no parent`, async () => {
    await using network = await Network.make();
    await using trace = await Trace.start(options(network));
    const end = await network.serve(trace, { how: "socket", family: "ipv4" });
    assert.ok(!end.has(FLAG.CLIENT_HERE));
  });
}

/** A server in one network namespace, and another one for clients. */
class Network implements AsyncDisposable {
  readonly #resources: AsyncDisposableStack;
  readonly #servers: Namespace;
  readonly #clients: Namespace;

  private constructor(
    resources: AsyncDisposableStack,
    servers: Namespace,
    clients: Namespace,
    readonly server: Actor,
    readonly port: number,
  ) {
    this.#resources = resources;
    this.#servers = servers;
    this.#clients = clients;
  }

  static async make(): Promise<Network> {
    await using stack = new AsyncDisposableStack();
    const servers = stack.use(await Namespace.alone());
    const clients = stack.use(await Namespace.make({ joinedTo: servers }));
    const { there } = clients;
    await servers.configure(
      `route add 198.51.100.0/24 via ${there.ipv4}`,
      `route add 203.0.113.0/24 via ${there.ipv4}`,
      `route add 2001:db8:79::/64 via ${there.ipv6}`,
      `route add 2001:db8:80::/64 via ${there.ipv6}`,
    );
    await clients.configure(
      "link set lo up",
      // asks for neighbors at once: the kernel's own address waits until nobody else has it
      "address add fe80::79/64 dev eth0 nodad",
      "route add local 198.51.100.0/24 dev lo",
      "route add local 2001:db8:79::/64 dev lo",
      // whatever comes is delivered here: Documentation/networking/tproxy.rst
      "route add local 0.0.0.0/0 dev lo table 100",
      "route add local ::/0 dev lo table 100",
    );
    for (const family of ["-4", "-6"]) {
      await clients.ip(family, "rule", "add", "iif", "eth0", "lookup", "100");
    }
    // TCP Fast Open without a cookie, at each listener: Documentation/networking/ip-sysctl.rst
    for (const one of [clients, servers]) await one.sysctl("ipv4.tcp_fastopen", 0x607);
    const server = stack.use(await Actor.start({ under: servers.under }));
    const port = await server.listen("l", "dual", "::");
    return new Network(stack.move(), servers, clients, server, port);
  }

  /** The server's addresses. */
  get addresses() {
    return this.#clients.here;
  }

  /** @returns the server's end of a session that its client has not closed yet */
  async serve(
    trace: Trace,
    { how, family, source = "", nameless, cookie }: Omit<Place, "name">,
  ): Promise<Session> {
    if (cookie) await this.#servers.sysctl("ipv4.tcp_syncookies", 2);
    const under = how === "thread" || how === "socket" ? [] : this.#clients.under;
    const netns = under.length > 0 ? "" : `/run/netns/${this.#clients.name}`;
    const args = [how, this.addresses[family], `${this.port}`, source, netns];
    const [command = "", ...rest] = [...under, ...PYTHON, PROGRAM, ...args];
    await using client = new Deno.Command(command, { args: rest, stdin: "piped", stdout: "piped" })
      .spawn();
    const lines = client.stdout.pipeThrough(new TextLineStream()).getReader();
    await this.server.accept("l", "s");
    assert.equal((await lines.read()).value, "connected");
    if (nameless) await this.#clients.remove();
    await this.server.close("s");
    const isServer = ({ localPort }: Session) => localPort === this.port;
    assert.ok(await trace.until(1, isServer), "the server's end was not reported");
    const [end] = await trace.finish(isServer);
    assert.equal(end?.role, "passive");
    await client.stdin.close();
    await lines.cancel();
    return end;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}
