/** What a capture's filters let through, and what they block. */
import { strict as assert } from "node:assert";
import type { CaptureOptions } from "../../src/capture/capture_options.ts";
import { Actor, type SocketFamily } from "./actor.ts";
import { hasPort, Trace } from "./harness.ts";

/** What there is to capture: three sessions, six ends. */
interface Scenery {
  readonly client: number;
  readonly server: number;
  readonly ports: Record<"a" | "b" | "c", number>;
}

const LISTENERS: Record<"a" | "b" | "c", { family: SocketFamily; address: string }> = {
  a: { family: "ipv4", address: "127.10.0.1" },
  b: { family: "ipv4", address: "127.20.0.1" },
  c: { family: "ipv6", address: "::1" },
};
const CLIENTS = { a: "127.10.0.2", b: "127.20.0.2", c: "::1" };

const RING_SIZE = 2 ** 18; // bytes: there are many

interface Case {
  readonly name: string;
  readonly options: (scenery: Scenery) => CaptureOptions;
  /** Ends that come through: `a>` is the client's end with listener a, `>a` the server's. */
  readonly expected: string;
}

const CASES: Case[] = [
  { name: "no filter", options: () => ({}), expected: "a> >a b> >b c> >c" },
  {
    name: "the pid of the client",
    options: ({ client }) => ({ pids: [client] }),
    expected: "a> b> c>",
  },
  {
    name: "the pid of the server",
    options: ({ server }) => ({ pids: [server] }),
    expected: ">a >b >c",
  },
  {
    name: "both pids among others",
    options: ({ client, server }) => ({ pids: [1, client, server, 999_999] }),
    expected: "a> >a b> >b c> >c",
  },
  {
    name: "one local port",
    options: ({ ports }) => ({ localPorts: [ports.a] }),
    expected: ">a",
  },
  {
    name: "several local ports",
    options: ({ ports }) => ({ localPorts: [ports.a, ports.c, 65535] }),
    expected: ">a >c",
  },
  {
    name: "one remote port",
    options: ({ ports }) => ({ remotePorts: [ports.b] }),
    expected: "b>",
  },
  {
    name: "a local and a remote port, which must both match",
    options: ({ ports }) => ({ localPorts: [ports.a], remotePorts: [ports.b] }),
    expected: "",
  },
  {
    name: "a pid and a remote port",
    options: ({ client, ports }) => ({ pids: [client], remotePorts: [ports.b] }),
    expected: "b>",
  },
  { name: "IPv4 alone", options: () => ({ families: ["ipv4"] }), expected: "a> >a b> >b" },
  { name: "IPv6 alone", options: () => ({ families: ["ipv6"] }), expected: "c> >c" },
  {
    name: "both families",
    options: () => ({ families: ["ipv4", "ipv6"] }),
    expected: "a> >a b> >b c> >c",
  },
  {
    name: "an included network",
    options: () => ({ includeCidrs: ["127.10.0.0/16"] }),
    expected: "a> >a",
  },
  {
    name: "one included address, of a peer",
    options: () => ({ includeCidrs: ["127.10.0.1"] }),
    expected: "a>",
  },
  {
    name: "an excluded network",
    options: () => ({ excludeCidrs: ["127.0.0.0/8"] }),
    expected: "c> >c",
  },
  {
    name: "a network excluded from an included one",
    options: () => ({ includeCidrs: ["127.0.0.0/8"], excludeCidrs: ["127.10.0.0/16"] }),
    expected: "b> >b",
  },
  {
    name: "an IPv6 network",
    options: () => ({ includeCidrs: ["::/64"] }),
    expected: "c> >c",
  },
  {
    name: "an excluded network around an included one",
    options: () => ({ includeCidrs: ["127.10.0.0/16", "::1"], excludeCidrs: ["127.0.0.0/8"] }),
    expected: "c> >c",
  },
  {
    name: "all of IPv4",
    options: () => ({ includeCidrs: ["0.0.0.0/0"] }),
    expected: "a> >a b> >b",
  },
  {
    name: "without all of IPv6",
    options: () => ({ excludeCidrs: ["::/0"] }),
    expected: "a> >a b> >b",
  },
  {
    name: "IPv4 in the notation of IPv6",
    options: () => ({ includeCidrs: ["::ffff:127.20.0.0/112"] }),
    expected: "b> >b",
  },
];

/** The ends that came through, by case. Each case has its own capture; all run at once. */
async function play(): Promise<ReadonlyMap<string, string>> {
  await using resources = new AsyncDisposableStack();
  const client = resources.use(await Actor.start());
  const server = resources.use(await Actor.start());
  const ports = await listenOnThree(server);
  const scenery = { client: client.process.pid, server: server.process.pid, ports };
  const start = async (options: CaptureOptions) =>
    resources.use(await Trace.start({ ringBuffer: RING_SIZE, ...options }));
  const traces = new Map<string, Trace>();
  for (const { name, options } of CASES) traces.set(name, await start(options(scenery)));
  // sees all, and so shows when the others must have seen their parts
  const all = await start({});
  for (const listener of ["a", "b", "c"] as const) {
    const target = { ...LISTENERS[listener], source: CLIENTS[listener], port: ports[listener] };
    await Promise.all([client.connect("s", target), server.accept(listener, "s")]);
    await client.send("s", 1);
    await server.receive("s", 1);
    await client.close("s");
    await server.receiveFin("s");
    await server.close("s");
  }
  const ours = (session: { localPort: number; peerPort: number }) =>
    Object.values(ports).some((port) => hasPort(port)(session));
  await all.take(6, ours);
  const seen = new Map<string, string>();
  for (const [name, trace] of traces) {
    const ends = (await trace.finish(ours)).map(({ localPort, peerPort }) => {
      const [letter, port] = Object.entries(ports)
        .find(([, port]) => port === localPort || port === peerPort) ?? ["?", 0];
      return port === localPort ? `>${letter}` : `${letter}>`;
    });
    seen.set(name, ends.sort().join(" "));
  }
  return seen;
}

let playing: ReturnType<typeof play> | undefined; // by the first test

for (const { name, expected } of CASES) {
  Deno.test(`capture() lets through only what matches: ${name}`, async () => {
    const seen = await (playing ??= play());
    assert.equal(seen.get(name), expected.split(" ").sort().join(" "));
  });
}

/** Three listeners with three ports: on different addresses the kernel may give one port twice. */
async function listenOnThree(server: Actor): Promise<Scenery["ports"]> {
  const listen = (name: "a" | "b" | "c") =>
    server.listen(name, LISTENERS[name].family, LISTENERS[name].address);
  for (;;) {
    const ports = { a: await listen("a"), b: await listen("b"), c: await listen("c") };
    if (new Set(Object.values(ports)).size === 3) return ports;
  }
}

Deno.test("capture() takes 64 pids and says so when there are more", async () => {
  const pids = Array.from({ length: 65 }, (_, i) => 900_000 + i);
  await using _trace = await Trace.start({ pids: pids.slice(1) });
  await assert.rejects(Trace.start({ pids }), {
    message: "cannot filter by 65 pids: at most 64 are possible",
  });
});
