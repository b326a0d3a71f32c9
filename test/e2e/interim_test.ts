/** Reports of open sessions: how users see them before and after the end. */
import assert from "node:assert/strict";
import { type Jaeger, type JaegerSpan, startJaeger } from "../backends/jaeger.ts";
import { Actor } from "../kernel/actor.ts";
import { together } from "../together.ts";
import { itemOf, only } from "./choose.ts";
import { freePort } from "./nginx.ts";
import { until } from "./process.ts";
import { parseRow, type RowFormat } from "./rows.ts";
import { startTcpspan, type Tcpspan } from "./tcpspan.ts";

type JsonSpan = Readonly<Record<string, unknown>>;

const INTERIM_MS = 1000;
const TABLE: RowFormat = { format: "table", time: false, timestamp: false };
/** What all reports of one session and its final span have in common. */
const ALIKE = ["trace_id", "name", "start", "service.name", "process.pid", "tcpspan.netns"];

for (const end of ["client", "server"] as const) {
  Deno.test(`an open session is reported repeatedly, each time as a child of its later span: the ${end}'s`, async () => {
    await using pair = await Pair.start();
    await using tool = await startTcpspan([], {
      config: `
capture: { interim: ${INTERIM_MS}ms }
exporters: { stdout: { format: json } }
`,
    });
    await pair.open();
    await pair.exchange(1000, 20);
    await spansOf(tool, pair, end, 1);
    await pair.exchange(3000, 400);
    const seen = await spansOf(tool, pair, end, 2);
    await pair.close();
    const [first, second, final] = await spansOf(tool, pair, end, 3);
    assert.ok(first !== undefined && second !== undefined && final !== undefined);
    assert.deepEqual([first, second], seen, "in the order of time");

    const [tx, rx] = ["tcpspan.tx.bytes", "tcpspan.rx.bytes"];
    const bytes = [[1000, 20], [4000, 420], [4000, 420]];
    for (const [i, span] of [first, second, final].entries()) {
      const [up, down] = itemOf(bytes, i);
      assert.deepEqual([span[tx], span[rx]], end === "client" ? [up, down] : [down, up]);
      for (const key of ALIKE) assert.deepEqual(span[key], final[key], key);
      assert.equal(span["status"], "Unset");
    }
    for (const report of [first, second]) {
      assert.equal(report["kind"], "INTERNAL");
      assert.equal(report["parent_span_id"], final["span_id"]);
      assert.equal(report["tcpspan.interim"], true);
      assert.equal(report["tcpspan.state.last"], "established");
      assert.deepEqual(namesOf(report["events"]), ["tcpspan.established"]);
      assert.deepEqual(Object.keys(report).filter((key) => key.startsWith("tcpspan.close.")), []);
    }
    assert.equal(final["kind"], end.toUpperCase());
    assert.equal("tcpspan.interim" in final, false);
    assert.equal(typeof final["tcpspan.close.by"], "string");
    assert.equal(new Set([first, second, final].map((span) => span["span_id"])).size, 3);
    const times = [first, second, final].map((span) => Date.parse(String(span["end"])));
    const [one = 0, two = 0, three = 0] = times;
    assert.ok(one - Date.parse(String(first["start"])) >= INTERIM_MS, "not before it is due");
    assert.ok(two - one >= INTERIM_MS * 0.9 && three >= two, times.join(", "));
    assert.equal((await tool.stop("SIGINT")).status, 0);
    const all = spansIn(tool, pair);
    const reports = all.filter((span) => span["tcpspan.interim"] === true);
    assert.equal(all.length - reports.length, 2, "one final span for each end, and no more");
  });
}

Deno.test("Jaeger shows reports as children of the final span without warnings, and counts one session", async () => {
  await using pair = await Pair.start();
  await using jaeger = await startJaeger();
  await using tool = await startTcpspan([], {
    config: `
capture: { interim: ${INTERIM_MS}ms }
resource: { from_process_env: true }
exporters: { stdout: { format: json }, otlp: { endpoint: "${jaeger.otlpHttp}" } }
`,
  });
  await pair.open();
  await pair.exchange(1000, 20);
  await spansOf(tool, pair, "client", 2);
  await spansOf(tool, pair, "server", 2);
  await pair.close();
  const final = await until("the final spans in Jaeger", async () => {
    const spans = await pairInJaeger(jaeger, pair);
    const ends = spans.filter(({ tags }) => tags["tcpspan.close.by"] !== undefined);
    return ends.length === 2 && ends;
  });
  const spans = await pairInJaeger(jaeger, pair);
  assert.equal(new Set(spans.map(({ traceId }) => traceId)).size, 1);
  assert.deepEqual(spans.flatMap(({ warnings }) => warnings), []);
  const client = only(final.filter(({ tags }) => tags["span.kind"] === "client"));
  const server = only(final.filter(({ tags }) => tags["span.kind"] === "server"));
  assert.deepEqual([client.parentSpanId, server.parentSpanId], [undefined, client.spanId]);
  for (const end of [client, server]) {
    const reports = spans.filter(({ service, spanId }) =>
      service === end.service && spanId !== end.spanId
    );
    assert.ok(reports.length >= 2, `${reports.length} reports of ${end.service}`);
    for (const report of reports) {
      assert.equal(report.parentSpanId, end.spanId);
      assert.equal(report.tags["span.kind"], "internal");
      assert.equal(report.tags["tcpspan.interim"], true);
    }
  }
  assert.equal(
    (await jaeger.dependencies()).get(`${pair.names.client} -> ${pair.names.server}`),
    1,
  );
  assert.equal((await tool.stop("SIGTERM")).status, 0);
});

const EXITS = (["SIGINT", "SIGTERM"] as const).flatMap((signal) =>
  (["json", "table"] as const).map((format) => ({ signal, format }))
);

const reportOnExit = together(EXITS, async ({ signal, format }) => {
  await using pair = await Pair.start();
  await using jaeger = await startJaeger();
  await using tool = await startTcpspan([], {
    config: `
capture: { report_open_on_exit: true }
resource: { from_process_env: true }
exporters: { stdout: { format: ${format} }, otlp: { endpoint: "${jaeger.otlpHttp}" } }
`,
  });
  await pair.open();
  await pair.exchange(5000, 20);
  const { status, stdout } = await tool.stop(signal);
  assert.equal(status, 0);
  const lines = stdout.split("\n").filter((line) => pair.isIn(line));
  assert.equal(lines.length, 2, stdout);
  if (format === "json") {
    for (const line of lines) {
      const report = toSpan(line);
      assert.equal(report["tcpspan.interim"], true);
      assert.equal(report["kind"], "INTERNAL");
      assert.deepEqual(Object.keys(report).filter((key) => /close\./.test(key)), []);
    }
  } else {
    const rows = lines.map((line) => parseRow(line, TABLE));
    const client = only(rows.filter(({ peerPort }) => peerPort === pair.port));
    const server = only(rows.filter(({ localPort }) => localPort === pair.port));
    assert.deepEqual([client.pid, client.txKb, client.rxKb], [pair.client.process.pid, 4, 0]);
    assert.deepEqual([server.pid, server.txKb, server.rxKb], [pair.server.process.pid, 0, 4]);
  }
  const spans = await until("the reports in Jaeger", async () => {
    const found = await pairInJaeger(jaeger, pair);
    return found.length >= 2 && found;
  });
  assert.equal(spans.length, 2);
  assert.equal(new Set(spans.map(({ traceId }) => traceId)).size, 1);
  for (const { tags } of spans) assert.equal(tags["tcpspan.interim"], true);
  assert.deepEqual(
    spans.map(({ service }) => service).sort(),
    Object.values(pair.names).sort(),
  );
});

for (const exit of EXITS) {
  const { signal, format } = exit;
  Deno.test(`report_open_on_exit: ${signal} reports each end of an open session once, as ${format} and to Jaeger`, () =>
    reportOnExit(exit));
}

Deno.test("report_open_on_exit: a session that has ended is not reported again; without it, nor is an open one", async () => {
  await using pair = await Pair.start();
  const start = (onExit: boolean) =>
    startTcpspan([], {
      config: `
capture: { report_open_on_exit: ${onExit} }
exporters: { stdout: { format: json } }
`,
    });
  await using without = await start(false);
  await pair.open();
  await pair.exchange(10, 10);
  assert.equal((await without.stop("SIGINT")).status, 0);
  assert.deepEqual(spansIn(without, pair), []);
  await using tool = await start(true);
  await pair.close();
  await spansOf(tool, pair, "server", 1);
  await spansOf(tool, pair, "client", 1);
  assert.equal((await tool.stop("SIGINT")).status, 0);
  assert.equal(spansIn(tool, pair).filter((span) => "tcpspan.interim" in span).length, 0);
  assert.equal(spansIn(tool, pair).length, 2);
});

Deno.test("a report on exit has an id of its own, also after other reports of the session", async () => {
  await using pair = await Pair.start();
  await using tool = await startTcpspan([], {
    config: `
capture: { interim: ${INTERIM_MS}ms, report_open_on_exit: true }
exporters: { stdout: { format: json } }
`,
  });
  await pair.open();
  await pair.exchange(10, 10);
  const before = await spansOf(tool, pair, "client", 1);
  assert.equal((await tool.stop("SIGTERM")).status, 0);
  const after = spansIn(tool, pair, "client");
  assert.ok(after.length > before.length, "one more when it stops");
  assert.equal(new Set(after.map((span) => span["span_id"])).size, after.length);
  assert.equal(new Set(after.map((span) => span["parent_span_id"])).size, 1);
});

/** A client and a server with service names of their own. */
class Pair implements AsyncDisposable {
  private constructor(
    readonly client: Actor,
    readonly server: Actor,
    readonly port: number,
    readonly names: { readonly client: string; readonly server: string },
  ) {}

  static async start(): Promise<Pair> {
    await using stack = new AsyncDisposableStack();
    const id = crypto.randomUUID().slice(0, 8);
    const names = { client: `shop-${id}`, server: `stock-${id}` };
    const actor = async (name: string) =>
      stack.use(await Actor.start({ comm: "actor", under: ["env", `OTEL_SERVICE_NAME=${name}`] }));
    const client = await actor(names.client);
    const server = await actor(names.server);
    const port = await server.listen("l", "ipv4", "127.0.0.1", { port: freePort() });
    stack.move(); // the processes end with the pair
    return new Pair(client, server, port, names);
  }

  async open(): Promise<void> {
    const target = { family: "ipv4", address: "127.0.0.1", port: this.port } as const;
    await Promise.all([this.client.connect("s", target), this.server.accept("l", "s")]);
  }

  /** Sends `up` bytes to the server, and `down` bytes back. */
  async exchange(up: number, down: number): Promise<void> {
    const { client, server } = this;
    await Promise.all([client.send("s", up), server.receive("s", up)]);
    await Promise.all([server.send("s", down), client.receive("s", down)]);
    await Promise.all([client.untilAcknowledged("s"), server.untilAcknowledged("s")]);
  }

  async close(): Promise<void> {
    await this.client.close("s");
    await this.server.receiveFin("s");
    await this.server.close("s");
  }

  /** Whether a line of output is about its session. */
  isIn(line: string): boolean {
    return line.includes(`"server.port":${this.port},`) ||
      new RegExp(`^\\d+ +actor .* ${this.port} `).test(line);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}

/** Waits for as many spans of one end or more. */
async function spansOf(
  { stdout }: Tcpspan,
  pair: Pair,
  end: "client" | "server",
  count: number,
): Promise<JsonSpan[]> {
  const lines = await stdout.waitForLines(count, (line) => isOf(line, pair, end));
  return lines.map(({ text }) => toSpan(text));
}

/** All spans that were written. */
function spansIn({ stdout }: Tcpspan, pair: Pair, end?: "client" | "server"): JsonSpan[] {
  return stdout.lines.filter(({ text }) => isOf(text, pair, end)).map(({ text }) => toSpan(text));
}

function isOf(line: string, pair: Pair, end: "client" | "server" | undefined): boolean {
  const key = end === "client" ? "network.peer.port" : "network.local.port";
  return pair.isIn(line) && (end === undefined || line.includes(`"${key}":${pair.port},`));
}

async function pairInJaeger(jaeger: Jaeger, { names }: Pair): Promise<JaegerSpan[]> {
  const traces = (await Promise.all(Object.values(names).map((name) => jaeger.traces(name))))
    .flat();
  const byId = traces.flatMap(({ spans }) => spans).map((span) => [span.spanId, span] as const);
  return [...new Map(byId).values()]; // both services are in one trace
}

function namesOf(events: unknown): unknown[] {
  return Array.isArray(events) ? events.map(({ name }) => name) : [];
}

function toSpan(line: string): JsonSpan {
  return JSON.parse(line);
}
