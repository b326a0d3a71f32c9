/**
 * The two ends of a session on two hosts, each with its own tcpspan, and what is in between:
 * they are one trace, and one edge in service maps.
 *
 * A host is a `Machine`: a tracer there knows only the addresses and processes of its machine.
 * It sees the sockets of the whole kernel, as all tracers do, so a filter keeps each to the sockets
 * of its host: clients have the server's port on the other end. The two share nothing
 * but the config.
 */
import assert from "node:assert/strict";
import { type Collector, startCollector } from "../backends/collector.ts";
import { type Jaeger, type JaegerSpan, type JaegerTrace, startJaeger } from "../backends/jaeger.ts";
import type { ServiceEdge } from "../backends/service_graph.ts";
import { only } from "./choose.ts";
import { until } from "./process.ts";
import {
  type Ends,
  type Family,
  NAMED_BY_ENVIRONMENT,
  Services,
  startService,
} from "./services.ts";
import { startTcpspan, type Tcpspan } from "./tcpspan.ts";
import { ADDRESSES, type Addresses, type Destination, TwoHosts } from "./two_hosts.ts";

/** What lies between the client and the server. */
interface Route {
  readonly name: string;
  /** The client's addresses, as the server sees them. */
  readonly source: Addresses;
  /** Sets it up. @returns where clients connect to reach the server on `port` */
  make(hosts: TwoHosts, port: number): Promise<Destination>;
}

const ROUTED: Route = {
  name: "a router",
  source: ADDRESSES.client,
  make: (_, port) => Promise.resolve({ addresses: ADDRESSES.server, port }),
};

const MASQUERADED: Route = {
  name: "masquerade",
  source: ADDRESSES.inside,
  async make(hosts, port) {
    await hosts.masquerade();
    return await ROUTED.make(hosts, port);
  },
};

const MASQUERADED_AND_FORWARDED: Route = {
  name: "masquerade and a forwarded port",
  source: ADDRESSES.inside,
  async make(hosts, port) {
    await hosts.masquerade();
    return await hosts.forward(port);
  },
};

const ROUTES: readonly Route[] = [
  ROUTED,
  MASQUERADED,
  {
    name: "a port that the server's host redirects",
    source: ADDRESSES.client,
    make: (hosts, port) => hosts.redirect(port),
  },
  {
    name: "a port that the router forwards",
    source: ADDRESSES.client,
    make: (hosts, port) => hosts.forward(port),
  },
  MASQUERADED_AND_FORWARDED,
];

const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];

for (const route of ROUTES) {
  Deno.test(`through ${route.name}: one trace, the server's span under the client's`, async () => {
    await using scene = await Scene.open(route);
    const tracers = await Promise.all([
      scene.traceClient({ parent: "always" }),
      scene.traceServer({ parent: "always" }),
    ]);
    for (const family of FAMILIES) {
      const ends = await scene.talk(family);
      const [atClient, atServer] = await spansOfEach(tracers, family);

      assert.equal(atServer["trace_id"], atClient["trace_id"]);
      assert.equal(atServer["parent_span_id"], atClient["span_id"]);
      assert.equal(atClient["parent_span_id"], undefined);
      assert.notEqual(atServer["span_id"], atClient["span_id"]);

      for (const [span, end] of [[atClient, ends.client], [atServer, ends.server]] as const) {
        assert.equal(span["network.local.address"], end.local_address);
        assert.equal(span["network.local.port"], end.local_port);
        assert.equal(span["network.peer.address"], end.peer_address);
        assert.equal(span["network.peer.port"], end.peer_port);
      }
      const { addresses, port } = scene.destination;
      assert.equal(atClient["network.local.address"], ADDRESSES.client[family]);
      assert.equal(atClient["server.address"], addresses[family]);
      assert.equal(atClient["server.port"], port);
      assert.equal(atServer["client.address"], route.source[family]);
      assert.equal(atServer["server.address"], ADDRESSES.server[family]);
      assert.equal(atServer["server.port"], scene.services.port);
      // translated addresses leave the ends little to agree on
      const seesClient = atServer["client.port"] === atClient["client.port"];
      assert.equal(seesClient, route.source === ADDRESSES.client);

      assert.deepEqual(
        [atClient, atServer].map((span) => [span["kind"], span["service.name"], span["host.name"]]),
        [["CLIENT", "shop", "client-host"], ["SERVER", "stock", "server-host"]],
      );
      assert.deepEqual([atClient["tcpspan.tx.bytes"], atClient["tcpspan.rx.bytes"]], [100, 200]);
      assert.deepEqual([atServer["tcpspan.tx.bytes"], atServer["tcpspan.rx.bytes"]], [200, 100]);
    }
  });
}

Deno.test("hosts with the same trace.key share a trace; another key gives another trace", async () => {
  await using scene = await Scene.open(MASQUERADED);
  const [client, server, ofAnotherKey, ofNoKey] = await Promise.all([
    scene.traceClient({ parent: "always", key: "this site's" }),
    scene.traceServer({ parent: "always", key: "this site's" }),
    scene.traceServer({ parent: "always", key: "another site's" }),
    scene.traceServer({ parent: "always" }),
  ]);
  await scene.talk();
  const [atClient, atServer, ...others] = await Promise.all([
    spanOf(client),
    spanOf(server),
    spanOf(ofAnotherKey),
    spanOf(ofNoKey),
  ]);
  assert.equal(atServer["trace_id"], atClient["trace_id"]);
  assert.equal(atServer["parent_span_id"], atClient["span_id"]);
  for (const other of others) {
    assert.equal(other["tcpspan.session.cookie"], atServer["tcpspan.session.cookie"]);
    for (const id of ["trace_id", "span_id", "parent_span_id"]) {
      assert.notEqual(other[id], atServer[id], id);
    }
  }
  assert.equal(new Set([atServer, ...others].map((span) => span["trace_id"])).size, 3);
});

for (const route of [ROUTED, MASQUERADED]) {
  Deno.test(`through ${route.name}: trace.parent auto names a parent on another host only if trace.peers has it`, async () => {
    await using scene = await Scene.open(route);
    const { ipv4, ipv6 } = route.source;
    const tracers = await Promise.all([
      scene.traceClient({ parent: "auto" }),
      scene.traceServer({ parent: "auto" }),
      scene.traceServer({ parent: "auto", peers: ["198.19.3.0/24", "fd74:6370:1003::/64"] }),
      scene.traceServer({ parent: "auto", peers: [`${ipv4}/24`, `${ipv6}/64`] }),
      scene.trace(undefined, { local_ports: [scene.services.port] }, { parent: "auto" }),
    ]);
    for (const family of FAMILIES) {
      await scene.talk(family);
      const [{ trace_id, span_id }, ...traced] = await spansOfEach(tracers, family);
      assert.deepEqual(
        traced.map((span) => [span["trace_id"], span["parent_span_id"]]),
        [
          [trace_id, undefined],
          [trace_id, undefined],
          [trace_id, span_id],
          [trace_id, span_id], // every namespace with a process is its host
        ],
      );
    }
  });
}

Deno.test("a proxy in between has two sessions, and there are two traces", async () => {
  await using scene = await Scene.open(ROUTED);
  const { shop, stock, port } = scene.services;
  const { client, router } = scene.hosts;
  await using proxy = await startService(router, "proxy");
  const proxied = { family: "ipv4", address: ADDRESSES.outside.ipv4 } as const;
  const proxyPort = await proxy.listen("l", "ipv4", proxied.address);
  const trace = { parent: "always" } as const;
  const peers = [ADDRESSES.client.ipv4, ADDRESSES.server.ipv4];
  const [atClient, atProxy, atServer] = await Promise.all([
    scene.trace(client.besideNetwork, { remote_ports: [proxyPort] }, trace),
    scene.trace(router.besideNetwork, { include_cidrs: peers }, trace),
    scene.traceServer(trace),
  ]);
  await Promise.all([
    shop.connect("s", { ...proxied, port: proxyPort }),
    proxy.accept("l", "outside"),
  ]);
  await Promise.all([
    proxy.connect("inside", { family: "ipv4", address: ADDRESSES.server.ipv4, port }),
    stock.accept("ipv4", "s"),
  ]);
  await Promise.all([shop.send("s", 100), proxy.receive("outside", 100)]);
  await Promise.all([proxy.send("inside", 100), stock.receive("s", 100)]);
  await shop.close("s");
  await proxy.receiveFin("outside");
  for (const name of ["outside", "inside"]) await proxy.close(name);
  await stock.receiveFin("s");
  await stock.close("s");

  const [ofClient, ofServer] = await Promise.all([spanOf(atClient), spanOf(atServer)]);
  const ofProxy = await spansOf(atProxy, 2);
  const outside = only(ofProxy.filter(({ kind }) => kind === "SERVER"));
  const inside = only(ofProxy.filter(({ kind }) => kind === "CLIENT"));
  assert.equal(outside["trace_id"], ofClient["trace_id"]);
  assert.equal(outside["parent_span_id"], ofClient["span_id"]);
  assert.equal(ofServer["trace_id"], inside["trace_id"]);
  assert.equal(ofServer["parent_span_id"], inside["span_id"]);
  assert.equal(inside["parent_span_id"], undefined);
  assert.notEqual(inside["trace_id"], outside["trace_id"]);
});

Deno.test("Jaeger and the Collector's servicegraph draw a service map across two hosts", async () => {
  const ORDERLY = 5;
  const RESET = 2; // one by each side
  const SESSIONS = ORDERLY + RESET;
  await using scene = await Scene.open(MASQUERADED_AND_FORWARDED);
  await using maps = await Maps.start({});
  await maps.trace(scene, { parent: "always" });
  for (let i = 0; i < ORDERLY; i++) await scene.talk();
  for (const by of ["shop", "stock"] as const) {
    await scene.services.breakOff(scene.destination, by);
  }

  const traces = await maps.traces("shop", 2 * SESSIONS);
  assert.equal(traces.length, SESSIONS);
  for (const { spans } of traces) {
    const client = only(spans.filter(({ service }) => service === "shop"));
    const server = only(spans.filter(({ service }) => service === "stock"));
    assert.equal(client.parentSpanId, undefined);
    assert.equal(server.parentSpanId, client.spanId);
    assert.deepEqual(warningsOf(spans), []);
  }
  assert.deepEqual(await maps.jaeger.dependencies(), new Map([["shop -> stock", SESSIONS]]));
  assert.deepEqual(await maps.serviceGraph(SESSIONS), [
    { client: "shop", server: "stock", requests: SESSIONS, failed: RESET },
  ]);
});

Deno.test("a service map has no edge between hosts if the server's span names no parent", async () => {
  await using scene = await Scene.open(ROUTED);
  await using maps = await Maps.start(ONE_END_ALONE);
  await maps.trace(scene, { parent: "auto" });
  await scene.talk();

  const trace = only(await maps.traces("stock", 2));
  assert.deepEqual(trace.spans.map(({ service }) => service).sort(), ["shop", "stock"]);
  assert.deepEqual(trace.spans.map(({ parentSpanId }) => parentSpanId), [undefined, undefined]);
  assert.deepEqual(warningsOf(trace.spans), []);
  assert.deepEqual(await maps.jaeger.dependencies(), new Map());
  assert.deepEqual(await maps.serviceGraph(2), [
    { client: "shop", server: ADDRESSES.server.ipv4, requests: 1, failed: 0 },
    { client: "user", server: "stock", requests: 1, failed: 0 },
  ]);
});

Deno.test("a refused attempt is a failed call to the address, if servicegraph is set to name it", async () => {
  await using scene = await Scene.open(ROUTED);
  await using maps = await Maps.start(ONE_END_ALONE);
  const { shop } = scene.services;
  const refused = await scene.services.refusingPort();
  await maps.trace(scene, { parent: "always" }, refused);
  await shop.failToConnect("s", {
    family: "ipv4",
    address: ADDRESSES.server.ipv4,
    port: refused,
  });
  await shop.close("s");
  assert.deepEqual(await maps.serviceGraph(1), [
    { client: "shop", server: ADDRESSES.server.ipv4, requests: 1, failed: 1 },
  ]);
});

/** A span without its other end counts as a call by `user`, or to what this attribute names. */
const ONE_END_ALONE = {
  virtual_node_peer_attributes: ["server.address"],
  store: { ttl: "1s" }, // the other end may come within this time
  store_expiration_loop: "100ms",
};

/** A span of the format `json`. */
type Json = Readonly<Record<string, unknown>>;

/** Settings of `trace` in the config. */
interface TraceSettings {
  readonly parent: "always" | "auto";
  readonly key?: string;
  readonly peers?: readonly string[];
}

/** Two hosts, a route between them, and services that use it. Disposing ends the tracers too. */
class Scene implements AsyncDisposable {
  readonly #resources: AsyncDisposableStack;

  private constructor(
    resources: AsyncDisposableStack,
    readonly hosts: TwoHosts,
    readonly services: Services,
    readonly destination: Destination,
  ) {
    this.#resources = resources;
  }

  static async open(route: Route): Promise<Scene> {
    await using resources = new AsyncDisposableStack();
    const hosts = resources.use(await TwoHosts.start());
    const services = resources.use(await Services.start(hosts));
    const destination = await route.make(hosts, services.port);
    return new Scene(resources.move(), hosts, services, destination);
  }

  /** Starts a tracer of the client's host, which sees the ends that connect to `port`. */
  traceClient(
    trace: TraceSettings,
    exporters: object = STDOUT,
    port = this.destination.port,
  ): Promise<Tcpspan> {
    return this.trace(this.hosts.client.besideNetwork, { remote_ports: [port] }, trace, exporters);
  }

  /** Starts a tracer of the server's host, which sees the ends that accepted. */
  traceServer(trace: TraceSettings, exporters: object = STDOUT): Promise<Tcpspan> {
    const { besideNetwork } = this.hosts.server;
    return this.trace(besideNetwork, { local_ports: [this.services.port] }, trace, exporters);
  }

  async trace(
    inside: readonly [string, ...string[]] | undefined,
    capture: object,
    trace: TraceSettings,
    exporters: object = STDOUT,
  ): Promise<Tcpspan> {
    const config = { capture, trace, exporters, resource: NAMED_BY_ENVIRONMENT };
    const tracer = startTcpspan([], {
      config: JSON.stringify(config), // JSON is YAML
      ...(inside === undefined ? {} : { inside }),
    });
    // also if it is still starting when another has failed
    this.#resources.defer(() =>
      tracer.then((tracer) => tracer[Symbol.asyncDispose](), () => undefined)
    );
    return await tracer;
  }

  talk(family?: Family): Promise<Ends> {
    return this.services.talk(this.destination, family);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

const STDOUT = { stdout: { format: "json" } };

/** The only span that a tracer has printed. */
async function spanOf(tracer: Tcpspan): Promise<Json> {
  return only(await spansOf(tracer, 1));
}

/** The span that each tracer prints of the session of `family`. */
async function spansOfEach<T extends readonly Tcpspan[]>(
  tracers: T,
  family: Family,
): Promise<{ [Index in keyof T]: Json }> {
  const ofFamily = `"network.type":"${family}"`;
  const spans = tracers.map(async ({ stdout }): Promise<Json> => {
    const lines = await stdout.waitForLines(1, (line) => line.includes(ofFamily));
    return JSON.parse(only(lines).text);
  });
  return await Promise.all(spans) as { [Index in keyof T]: Json }; // one for each
}

async function spansOf(tracer: Tcpspan, count: number): Promise<Json[]> {
  const lines = await tracer.stdout.waitForLines(count, (line) => line.startsWith("{"));
  return lines.map(({ text }): Json => JSON.parse(text));
}

/** The two programs that draw service maps. */
class Maps implements AsyncDisposable {
  private constructor(readonly jaeger: Jaeger, readonly collector: Collector) {}

  /** @param settings of the connector `servicegraph`, over its defaults */
  static async start(settings: Readonly<Record<string, unknown>>): Promise<Maps> {
    await using resources = new AsyncDisposableStack();
    const jaeger = resources.use(await startJaeger());
    const collector = resources.use(
      await startCollector({ serviceGraph: { metrics_flush_interval: "100ms", ...settings } }),
    );
    resources.move();
    return new Maps(jaeger, collector);
  }

  /** Starts a tracer on each of the two hosts, which send to both. */
  async trace(scene: Scene, trace: TraceSettings, port?: number): Promise<void> {
    const exporters = {
      "otlp/jaeger": { endpoint: this.jaeger.otlpHttp },
      "otlp/collector": { endpoint: this.collector.otlpGrpc, protocol: "grpc" },
    };
    await Promise.all([
      scene.traceClient(trace, exporters, port),
      scene.traceServer(trace, exporters),
    ]);
  }

  /** The traces with `service` in Jaeger, as soon as they have `count` spans. */
  traces(service: string, count: number): Promise<JaegerTrace[]> {
    return until(`${count} spans in Jaeger`, async () => {
      const traces = await this.jaeger.traces(service);
      return traces.flatMap(({ spans }) => spans).length >= count && traces;
    });
  }

  /** The Collector's service graph as soon as it counts `count` requests, by the clients' names. */
  serviceGraph(count: number): Promise<ServiceEdge[]> {
    return until(`a service graph of ${count} requests`, async () => {
      const edges = await this.collector.serviceGraph();
      const counted = edges.reduce((sum, { requests }) => sum + requests, 0);
      return counted >= count && edges.sort((a, b) => a.client < b.client ? -1 : 1);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.jaeger.stop(), this.collector.stop()]);
  }
}

/** For a server that closes microseconds after its client: no tracer sees both, to nest them. */
const SKEW = /^clock skew adjustment disabled; not applying calculated delta of -?[\d.]+(µs|ns)$/;

/** What Jaeger finds wrong with spans, apart from clocks: a missing parent, a duplicate id. */
function warningsOf(spans: readonly JaegerSpan[]): string[] {
  return spans.flatMap(({ warnings }) => warnings).filter((text) => !SKEW.test(text));
}
