/**
 * The two ends of a session on two hosts, each with a tcpspan of its own, and what is in between:
 * they are one trace, and an edge of service maps.
 *
 * A host is a `Machine`: a tracer there knows no addresses and processes but those of its machine.
 * It sees the sockets of the whole kernel, as all tracers do, so a filter keeps each to the sockets
 * of its host: clients are those with the server's port on the other end. The two have nothing in
 * common but the config.
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

/** A way from the client to the server. */
interface Way {
  readonly name: string;
  /** What the server takes for the client. */
  readonly source: Addresses;
  /** Makes the way. @returns what clients connect to, to reach the server on `port` */
  make(hosts: TwoHosts, port: number): Promise<Destination>;
}

const ROUTED: Way = {
  name: "a router",
  source: ADDRESSES.client,
  make: (_, port) => Promise.resolve({ addresses: ADDRESSES.server, port }),
};

const MASQUERADED: Way = {
  name: "masquerade",
  source: ADDRESSES.inside,
  async make(hosts, port) {
    await hosts.masquerade();
    return await ROUTED.make(hosts, port);
  },
};

const MASQUERADED_AND_FORWARDED: Way = {
  name: "masquerade and a forwarded port",
  source: ADDRESSES.inside,
  async make(hosts, port) {
    await hosts.masquerade();
    return await hosts.forward(port);
  },
};

const WAYS: readonly Way[] = [
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

for (const way of WAYS) {
  Deno.test(`through ${way.name}: one trace, the server's span under the client's`, async () => {
    await using scene = await Scene.open(way);
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
      assert.equal(atServer["client.address"], way.source[family]);
      assert.equal(atServer["server.address"], ADDRESSES.server[family]);
      assert.equal(atServer["server.port"], scene.services.port);
      // a way that translates leaves the ends little to agree on
      const seesClient = atServer["client.port"] === atClient["client.port"];
      assert.equal(seesClient, way.source === ADDRESSES.client);

      assert.deepEqual(
        [atClient, atServer].map((span) => [span["kind"], span["service.name"], span["host.name"]]),
        [["CLIENT", "shop", "client-host"], ["SERVER", "stock", "server-host"]],
      );
      assert.deepEqual([atClient["tcpspan.tx.bytes"], atClient["tcpspan.rx.bytes"]], [100, 200]);
      assert.deepEqual([atServer["tcpspan.tx.bytes"], atServer["tcpspan.rx.bytes"]], [200, 100]);
    }
  });
}

Deno.test("hosts with one trace.key have one trace, with another key another one", async () => {
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

for (const way of [ROUTED, MASQUERADED]) {
  Deno.test(`through ${way.name}: trace.parent auto names a parent on another host in trace.peers alone`, async () => {
    await using scene = await Scene.open(way);
    const { ipv4, ipv6 } = way.source;
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
          [trace_id, span_id], // all namespaces with a process are its host
        ],
      );
    }
  });
}

Deno.test("what ends TCP in between has two sessions, and there are two traces", async () => {
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

Deno.test("a service map across two hosts, by Jaeger and by the Collector's servicegraph", async () => {
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

Deno.test("a service map has no edge between hosts where the server's span names no parent", async () => {
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

Deno.test("an attempt that was refused is a failed call to the address, where servicegraph is told its name", async () => {
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

/** What one end alone tells, the connector takes for a call by `user`, or to what this names. */
const ONE_END_ALONE = {
  virtual_node_peer_attributes: ["server.address"],
  store: { ttl: "1s" }, // in which the other end may come
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

/** Two hosts, a way between them, and the services that use it. Disposing ends the tracers too. */
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

  static async open(way: Way): Promise<Scene> {
    await using resources = new AsyncDisposableStack();
    const hosts = resources.use(await TwoHosts.start());
    const services = resources.use(await Services.start(hosts));
    const destination = await way.make(hosts, services.port);
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
    // also of one that is still starting when another one has failed to
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

/** The span that a tracer prints; it must not have printed another by then. */
async function spanOf(tracer: Tcpspan): Promise<Json> {
  return only(await spansOf(tracer, 1));
}

/** The span of each of some tracers that is of a session of `family`. */
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

/** The two that draw service maps. */
class Maps implements AsyncDisposable {
  private constructor(readonly jaeger: Jaeger, readonly collector: Collector) {}

  /** @param settings of the connector `servicegraph`; what is not here is its default */
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

/** Of a server that closes microseconds after its client: no tracer sees both ends, to nest them. */
const SKEW = /^clock skew adjustment disabled; not applying calculated delta of -?[\d.]+(µs|ns)$/;

/** What Jaeger finds wrong with spans, but for clocks: a missing parent, an id that is there twice. */
function warningsOf(spans: readonly JaegerSpan[]): string[] {
  return spans.flatMap(({ warnings }) => warnings).filter((text) => !SKEW.test(text));
}
